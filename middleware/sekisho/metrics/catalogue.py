"""Families of counts, and gauges: names, labels and sums, for every form in which they are shown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.model import Action
from sekisho.record import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.metrics.shared import Key

_ACTIONS: Final = {action.name.lower() for action in Action}
_PROVED: Final = "proved_"
_PARTS: Final = frozenset({"store", "owners", "mail", "webhook", "corpus", "pairs", "hibp"})


class Family(NamedTuple):
    """A family of counters.

    Attributes:
        name: without the prefix and without `_total`.
        help: what one count means.
        labels: their names.
        unit: the noun of one count, in the singular.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    unit: str


ATTEMPTS: Final = Family(
    "attempts", "Attempts by the action that was decided; in monitor mode they passed.", ("door", "action"), "attempt"
)
FINDINGS: Final = Family(
    "findings", "Findings that decided attempts. An attempt may have several.", ("door", "action", "reason"), "finding"
)
UNREADABLE: Final = Family(
    "unreadable", "Attempts refused because they could not be read.", ("door", "reason"), "attempt"
)
CROWDED: Final = Family(
    "crowded", "Strangers refused because the application was at its limit.", ("door", "reason"), "attempt"
)
OUTCOMES: Final = Family(
    "outcomes", "Attempts that reached the application, by outcome.", ("door", "outcome"), "attempt"
)
SUCCESSES: Final = Family("successes", "Successes by what showed them.", ("door", "basis"), "success")
UNJUDGED: Final = Family(
    "unjudged", "Answers of the application that could not be judged.", ("door", "reason"), "answer"
)
RULES: Final = Family("success_rules_tested", "Tests of suspected success rules.", ("door", "result"), "test")
ASKED: Final = Family("step_ups_asked", "Second proofs that were asked for.", ("door", "purpose"), "proof")
PROOFS: Final = Family(
    "step_up_proofs", "Second proofs that were shown.", ("door", "purpose", "factor", "result"), "proof"
)
ABANDONED: Final = Family("step_ups_abandoned", "Right secrets whose proof was not shown in time.", (), "proof")
CODES: Final = Family("codes_sent", "Codes handed to the mail server or to the service's sender.", ("factor",), "code")
DEVICES: Final = Family("new_devices", "Devices that completed a factor for the first time.", (), "device")
FACTORS: Final = Family("factor_changes", "Factors that were enrolled or changed.", ("change",), "change")
CAPS: Final = Family("caps_reached", "Requests over an account's cap.", ("route", "result"), "request")
NOTICES_LOST: Final = Family("notices_lost", "Notices to owners that were given up.", ("reason",), "notice")
PASSWORDS: Final = Family("new_passwords", "New passwords by whether they have leaked.", ("door", "result"), "password")
CHANGES: Final = Family("password_changes_asked", "Log-ins with a leaked password.", ("door",), "log-in")
PARTS: Final = Family(
    "part_changes",
    "The store, the owners' database, the way of notices (`mail`, `webhook`), or a source of leaked passwords was lost "
    "or came back; counted by each worker.",
    ("part", "state"),
    "change",
)
EMPTIED: Final = Family("store_emptied", "The store lost all its data.", (), "event")
MODES: Final = Family(
    "mode_changes", "Changes of the mode by an operator, counted by each worker.", ("mode",), "change"
)
POSTURES: Final = Family(
    "posture_changes",
    "Changes of the posture, from `before` to `posture`, counted by each worker.",
    ("door", "segment", "posture", "before"),
    "change",
)
CAMPAIGNS: Final = Family(
    "campaigns", "Campaigns that were recognised, entered an account, or ended; counted by each worker.", ("change",),
    "change",
)  # fmt: skip
COMMANDS: Final = Family("commands", "Commands of operators, counted by each worker.", ("command",), "command")
MISCONFIGURED: Final = Family("misconfigured", "Signs of a mistake in the set-up. The log names them.", (), "sign")
EVENTS_LOST: Final = Family("events_lost", "Events that were not recorded.", ("reason",), "event")
OTHER: Final = Family("other_events", "Events that have no family of their own.", ("door", "event", "reason"), "event")

ALL_FAMILIES: Final = (
    ATTEMPTS, FINDINGS, UNREADABLE, CROWDED, OUTCOMES, SUCCESSES, UNJUDGED, RULES, ASKED, PROOFS, ABANDONED, CODES,
    DEVICES, FACTORS, CAPS, NOTICES_LOST, PASSWORDS, CHANGES, PARTS, EMPTIED, MODES, POSTURES, CAMPAIGNS, COMMANDS,
    MISCONFIGURED, EVENTS_LOST, OTHER,
)  # fmt: skip

GAUGES: Final = {
    "info": "1; its labels are the `version` and the `mode`.",
    "workers": "Workers that share the store.",
    "store_up": "Whether the store answers.",
    "corpus_age_seconds": "Age of the file of leaked passwords.",
    "strangers": "Attempts by unknown devices that are in the application.",
    "strangers_max": "Attempts by unknown devices that may be there.",
    "posture": "Posture by `door`: 0 calm, 1 elevated, 2 attack; without a door: that an operator forces.",
}
HISTOGRAM: Final = ("sekisho_decision_seconds", "Time from an attempt that was read to its decision.")

Counted = tuple[Family, tuple[str, ...]]


class Gauges(NamedTuple):
    """What the worker that answers knows at this moment. None: the site has no such part.

    Attributes:
        version, mode: of this worker.
        workers: that share the store.
        store_up: whether the store answers.
        corpus_age_s: the age of the file of leaked passwords, in seconds.
        strangers: attempts by unknown devices in this worker's application.
        strangers_max: how many may be there.
        postures: by door; of the door ``""``, where an operator forces one.
    """

    version: str
    mode: str
    workers: int | None = None
    store_up: bool | None = None
    corpus_age_s: float | None = None
    strangers: int | None = None
    strangers_max: int | None = None
    postures: Mapping[str, int] | None = None


def summed(counts: Mapping[Key, int]) -> dict[Counted, int]:
    """Return the value of each counter of the catalogue, from a process's counts."""
    sums: dict[Counted, int] = {}
    for key, count in counts.items():
        for counted, times in _counted(*key, count):
            sums[counted] = sums.get(counted, 0) + times
    return sums


def _counted(place: str, what: str, why: str, count: int) -> list[tuple[Counted, int]]:
    """The counters to which one count adds."""
    if what in _ACTIONS:
        findings = [((FINDINGS, (place, what, why)), count)] if why else []
        return [((ATTEMPTS, (place, what)), count), *findings]
    if what == "more_findings":  # of attempts that are counted by their first finding already
        return [((ATTEMPTS, (place, why)), -count)]
    if what.startswith(_PROVED):
        return [((PROOFS, (place, what.removeprefix(_PROVED), why, "right")), count)]
    if what == "decision":
        return []
    if what == "posture":
        return [(_turned(place, why), count)]
    return [(_single(place, what, why), count)]


def _turned(place: str, why: str) -> Counted:
    segment, posture, *before = why.split(",")  # workers of an earlier version counted without `before`
    return POSTURES, (place, segment, posture, *(before or [""]))


def _single(place: str, what: str, why: str) -> Counted:
    by_door = _BY_DOOR.get(what)
    if by_door is not None:
        return by_door, (place, why)[: len(by_door.labels)]
    by_word = _BY_WORD.get(what)
    if by_word is not None:
        return by_word, (why,)[: len(by_word.labels)]
    if what in _PARTS:
        return (EMPTIED, ()) if why == "anew" else (PARTS, (what, why))
    if what == Kind.STEP_UP_FAILED:
        purpose, _, factor = why.partition(",")
        return PROOFS, (place, purpose, factor, "wrong")
    if what in {Kind.FACTOR_ENROLLED, Kind.FACTOR_CHANGED}:
        return FACTORS, (why if what == Kind.FACTOR_CHANGED else f"{why},added",)
    return OTHER, (place, what, why)


_BY_DOOR: Final = {
    "unreadable": UNREADABLE,
    "unavailable": CROWDED,
    "outcome": OUTCOMES,
    "success_by": SUCCESSES,
    "unjudged": UNJUDGED,
    "success_rule": RULES,
    "new_password": PASSWORDS,
    "cap_reached": CAPS,
    "change_password": CHANGES,
    Kind.STEP_UP_ISSUED: ASKED,
}
_BY_WORD: Final = {
    Kind.STEP_UP_NOT_COMPLETED: ABANDONED,
    Kind.CODE_SENT: CODES,
    Kind.NEW_DEVICE: DEVICES,
    "mode": MODES,
    "notice_lost": NOTICES_LOST,
    "campaign": CAMPAIGNS,
    "command": COMMANDS,
    "odd": MISCONFIGURED,
    "events": EVENTS_LOST,
}
