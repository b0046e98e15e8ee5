"""The written form of events: JSON lines, version 1. `docs/events.md` is generated from the tables here."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.model import SekishoError
from sekisho.record.events import Event, Kind, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1
LINE_CHARS_MAX: Final = 16_384
"""The longest line that is read. The guard's own lines are shorter: nothing in them comes from a client."""

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
SUBJECT: Final = ("network", "account", "address", "device", "software", "device_class", "country", "secret", "counted")
DETAILS: Final = (
    "action", "mode", "result", "before", "basis", "purpose", "factor", "part", "command", "by", "text", "notice",
)  # fmt: skip


class Field(NamedTuple):
    """A field of a line: its type in JSON, and its meaning."""

    type: str
    meaning: str


class KindForm(NamedTuple):
    """The form of a kind: its meaning, and the fields that it may have besides those of every kind."""

    meaning: str
    fields: tuple[str, ...]


class LineError(SekishoError):
    """A line is no event. The message says why, and contains nothing of the line."""


ALWAYS: Final[dict[str, Field]] = {
    "v": Field("integer", "The version of this form: 1."),
    "time": Field("string", "When it happened, by the worker's clock: UTC, ISO 8601 with microseconds."),
    "kind": Field("string", "One of the kinds above."),
    "times": Field(
        "integer",
        "How many such events the line stands for. Absent: one. A line with it names no client and no account.",
    ),
}
FIELDS: Final[dict[str, Field]] = {
    "door": Field("string", "The door or protected route, as the settings write it: `POST /login`."),
    "mode": Field("string", "`enforce`, `monitor` or `off`."),
    "action": Field("string", "The answer that is due: `allow`, `challenge`, `step_up`, `throttle` or `deny`."),
    "reasons": Field("array of strings", "The codes of all findings; see docs/answers.md. Absent: none."),
    "result": Field("string", "The result; each kind lists its words."),
    "before": Field(
        "string", "What `result` was until then. Absent: unknown, as in lines of workers of an earlier version."
    ),
    "basis": Field("string", "What showed the outcome: `report`, `rule` or `guess`."),
    "purpose": Field("string", "What the proof is for: `login`, `door`, `protect`, `manage` or `contact`."),
    "factor": Field("string", "`webauthn`, `totp`, `oidc`, `email`, `webhook` or `recovery`."),
    "part": Field(
        "string",
        "The part that failed or works again: `store`, `owners`, `mail`, `webhook`, `corpus`, `pairs` or `hibp`.",
    ),
    "command": Field(
        "string",
        "`mode`, `deny`, `allow`, `remove_deny`, `remove_allow`, `unblock`, `posture`, `forget`, `ask`, "
        "`unask`, `takeover` or `false_alarm`; see docs/commands.md.",
    ),
    "by": Field("string", "The operator: login name and uid on the machine where the command ran; or `the service`."),
    "text": Field(
        "string",
        "A sentence for the operator, or the reason that an operator gave. It contains nothing that a client sent.",
    ),
    "notice": Field("string", "The kind of a notice to an owner; see docs/notices.md."),
    "network": Field("string", "The client's network: IPv4 /24, IPv6 /56."),
    "account": Field("string", "The account: a keyed digest, 32 hex digits."),
    "address": Field("string", "The client's address (IPv6: its /64): a keyed digest, 32 hex digits."),
    "device": Field("string", "The device headers within their network: a keyed digest, 32 hex digits."),
    "software": Field(
        "string",
        "The device headers alone, the same on every network: a keyed digest, 16 hex digits. Browsers of one version "
        "and language share it.",
    ),
    "device_class": Field("string", "The device at this account: `stranger`, `seen` or `proved`."),
    "secret": Field(
        "string",
        "A secret that was tried at 16 accounts or more lately: a keyed digest, 8 hex digits. Only where it was "
        "refused or wrong: it never tells the secret of an account.",
    ),
    "counted": Field(
        "string",
        "What the counters were asked, in keyed digests, for `sekisho simulate --replay`. Only in the audit, with "
        "`SEKISHO_AUDIT_REPLAY=on`; other programs had better not read it.",
    ),
    "country": Field("string", "The client's country: two letters. Absent: unknown, as always in this version."),
}

_CLIENT = ("network", "address", "device", "software", "country")
_PERSON = ("network", "account", "address", "device", "software", "device_class", "country")
_ATTEMPT = (*_PERSON, "secret", "counted")
_OWNER = ("network", "account", "address", "device", "software", "country")
FORMS: Final[dict[str, KindForm]] = {
    Kind.DECIDED: KindForm(
        "An attempt was judged. In `monitor` mode the action was not carried out.",
        ("door", "mode", "action", "reasons", *_ATTEMPT),
    ),
    Kind.SETTLED: KindForm(
        "The application answered an attempt. `result`: `succeeded`, `failed` or `unknown`. `reasons`: `withheld` "
        "where a proof is asked for, and the answer is handed over after it.",
        ("door", "result", "basis", "reasons", *_ATTEMPT),
    ),
    Kind.UNREADABLE: KindForm("An attempt could not be read.", ("door", "reasons", *_CLIENT)),
    Kind.CROWDED: KindForm("A stranger found no room in the application.", ("door", *_CLIENT)),
    Kind.STEP_UP_ISSUED: KindForm("A second proof was asked for.", ("door", "purpose", *_OWNER)),
    Kind.STEP_UP_PROVED: KindForm("A second proof was shown.", ("door", "purpose", "factor", *_OWNER)),
    Kind.STEP_UP_FAILED: KindForm("A wrong proof was shown.", ("door", "purpose", "factor", *_OWNER)),
    Kind.STEP_UP_NOT_COMPLETED: KindForm(
        "A right secret was shown and no proof within the ticket's life.", ("account",)
    ),
    Kind.FACTOR_ENROLLED: KindForm("A factor was added to an account.", ("factor", "account")),
    Kind.FACTOR_CHANGED: KindForm(
        "A factor changed. `result`: `removed`, `used` (a recovery code), `reset`, `reset_asked` (in a day, "
        "by the owner), or `stopped` after too many wrong codes.",
        ("factor", "result", "account"),
    ),
    Kind.CAP_REACHED: KindForm(
        "An amount would have exceeded a cap. `action`: `refuse`, or `step_up` where a proof was asked for.",
        ("door", "action", "account"),
    ),
    Kind.CODE_SENT: KindForm("A code was handed over for sending.", ("factor", "account")),
    Kind.NEW_DEVICE: KindForm("A device completed a factor for the first time.", ("account",)),
    Kind.AGED_DEVICE: KindForm(
        "A device that was seen before there were factors is let in by its age: its owner was told.", ("account",)
    ),
    Kind.NOTICE_ANSWERED: KindForm(
        "An owner answered a notice's question whether it was them. `result`: `yes` or `no`.",
        ("notice", "result", "account"),
    ),
    Kind.NOTICE_LOST: KindForm(
        "A notice to an owner was given up. `result`: `expired`, `unreadable`, or why the mail server refused it.",
        ("notice", "result"),
    ),
    Kind.NEW_PASSWORD: KindForm(
        "A new password was looked up. `result`: `breached`, `not_known`, or `unknown` if no source could tell.",
        ("door", "result", *_PERSON),
    ),
    Kind.CHANGE_PASSWORD: KindForm("An owner logged in with a leaked password.", ("door", *_PERSON)),
    Kind.SUCCESS_RULE: KindForm(
        "A suspected success rule was tested. `result`: `held`, `wrong` or `untested`.", ("door", "result")
    ),
    Kind.UNJUDGED: KindForm("An answer of the application could not be judged.", ("door", "reasons")),
    Kind.MISCONFIGURED: KindForm("Requests show that the setup must be a mistake.", ("text",)),
    Kind.DEGRADED: KindForm("A part that the guard relies on has failed.", ("part",)),
    Kind.RECOVERED: KindForm("That part works, for the first time or again.", ("part",)),
    Kind.STORE_EMPTIED: KindForm("The store has lost all its data.", ()),
    Kind.MODE_CHANGED: KindForm("An operator has switched the mode.", ("mode",)),
    Kind.COMMANDED: KindForm(
        "An operator used a command. Each worker writes it when it obeys.",
        ("command", "by", "text", "mode", "network", "account", "address", "device"),
    ),
    Kind.CAMPAIGN: KindForm(
        "A campaign was recognised, has entered its first account, or has ended; each worker writes it when it hears "
        "of it. `result`: `recognised`, `entered` or `ended`. `reasons`: by what its attempts are grouped. `text`: its "
        "name and numbers.",
        ("result", "reasons", "text"),
    ),
    Kind.POSTURE_CHANGED: KindForm(
        "The posture changed; each worker writes it when it hears of it. `reasons`: `site`, `network`, `provider`, "
        "`browser`, `forced` by an operator, or `estimated` again. `result`: `calm`, `elevated` or `attack`. `before`: "
        "the one until then. From `calm` to `elevated` is an alarm, from `attack` to `elevated` none.",
        ("door", "reasons", "result", "before"),
    ),
}


def encode(event: Event) -> str:
    """An event as one line of JSON, without a line feed. Empty fields are left out; a handle is never written."""
    return json.dumps(as_fields(event), separators=(",", ":"))


def as_fields(event: Event, subject: tuple[str, ...] = SUBJECT) -> dict[str, object]:
    """The fields of an event's line, in their order.

    `subject`: the names of the fields to take from the event's subject.
    """
    fields: dict[str, object] = {"v": VERSION, "time": time_text(event.at_us), "kind": event.kind}
    if event.door:
        fields["door"] = event.door
    for name in DETAILS:
        if text := getattr(event, name):
            fields[name] = text
    if event.reasons:
        fields["reasons"] = event.reasons
    if event.times != 1:
        fields["times"] = event.times
    for name in subject:
        if text := getattr(event.subject, name):
            fields[name] = text
    return fields


def decode(line: str | bytes) -> Event | None:
    """The event of a line; None for a kind of a later release, which the version rule has readers skip.

    Raises `LineError`.
    """
    if len(line) > LINE_CHARS_MAX:
        raise LineError(f"is longer than {LINE_CHARS_MAX} characters")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LineError("is no JSON object")
    if found.get("v") != VERSION or isinstance(found["v"], bool):
        raise LineError(f"is not of version {VERSION} of this form")
    return _event(found)


def _event(found: Mapping[str, Any]) -> Event | None:
    kind, at_us = _text(found, "kind"), _at_us(_text(found, "time"))
    if not kind:
        raise LineError("has no kind")
    if kind not in FORMS:
        return None
    subject = Subject(
        network=_text(found, "network"),
        account=_text(found, "account"),
        address=_text(found, "address"),
        device=_text(found, "device"),
        device_class=_text(found, "device_class"),
        country=_text(found, "country"),
        software=_text(found, "software"),
        counted=_text(found, "counted"),
        secret=_text(found, "secret"),
    )
    return Event(
        kind,
        at_us,
        _text(found, "door"),
        **{name: _text(found, name) for name in DETAILS if name in found},
        reasons=_reasons(found),
        times=_times(found),
        subject=subject,
    )


def _text(found: Mapping[str, Any], name: str) -> str:
    text = found.get(name, "")
    if not isinstance(text, str):
        raise LineError(f"has a field {name} that is no text")
    return text


def _reasons(found: Mapping[str, Any]) -> tuple[str, ...]:
    reasons = found.get("reasons", [])
    if not (isinstance(reasons, list) and all(isinstance(one, str) for one in reasons)):
        raise LineError("has a field reasons that is no list of texts")
    return tuple(reasons)


def _times(found: Mapping[str, Any]) -> int:
    times = found.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise LineError("has a field times that is no number of events")
    return times


def time_text(at_us: int) -> str:
    """A time as ISO 8601, UTC, with microseconds."""
    second, microseconds = divmod(at_us, 1_000_000)
    return f"{_second_text(second)}.{microseconds:06}Z"


@lru_cache(maxsize=8)
def _second_text(second: int) -> str:
    return (_START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")


def _at_us(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise LineError("has no field time in ISO 8601 with a time zone")
    return (at - _START) // _MICROSECOND
