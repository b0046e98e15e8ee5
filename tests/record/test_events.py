"""Events are frozen values, and the exact account and address stay behind a handle."""

from __future__ import annotations

import copy
import json
import pickle
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.judge.posture import PostureChange
from sekisho.metrics.catalogue import summed
from sekisho.model import Action, Basis, Decision, Device, Door, Finding, Mode, Origin, Outcome, Posture
from sekisho.record import Counts, Event, Events, Exact, HandleKey, Kind, Subject, Subjects
from sekisho.record.campaigns.live import CampaignChange, LiveCampaign
from sekisho.record.lines import encode
from sekisho.record.subjects import network_text
from tests.record.made import (
    ALLOWED,
    AT_US,
    FOUR,
    LOGIN,
    NOWHERE,
    SECRET,
    THROTTLED,
    Kept,
    attempt,
    recording,
    subjects,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# Handles.


def test_a_handle_opens_for_the_key_that_made_it() -> None:
    """A sink that was given the key reads the exact account and address."""
    key, sink = HandleKey(), Kept()
    recording(sink, handles=key).decided(LOGIN, ALLOWED, Mode.ENFORCE, FOUR, attempt("Hana"), Device.SEEN)

    handle = sink.events[0].subject.handle
    assert handle is not None
    assert key.open(handle) == Exact("Hana", "203.0.113.9")


def test_a_handle_opens_for_no_other_key() -> None:
    """A sink with a key of its own making reads nothing."""
    handle = HandleKey().close("Hana", "203.0.113.9")
    with pytest.raises(PermissionError):
        HandleKey().open(handle)


def test_without_a_key_there_are_no_handles() -> None:
    """If no sink needs exact accounts, events do not hold them."""
    sink = Kept()
    recording(sink).decided(LOGIN, ALLOWED, Mode.ENFORCE, FOUR, attempt(), Device.SEEN)

    assert sink.events[0].subject.handle is None


@pytest.mark.parametrize("leak", [copy.copy, copy.deepcopy, pickle.dumps, json.dumps, vars], ids=lambda f: f.__name__)
def test_a_handle_is_neither_copied_nor_written(leak: Callable[[object], object]) -> None:
    """A sink cannot copy, pickle or dump a handle by mistake, alone or inside of its event."""
    handle = HandleKey().close("Hana", "203.0.113.9")
    with pytest.raises(TypeError):
        leak(handle)


@pytest.mark.parametrize("leak", [copy.deepcopy, pickle.dumps], ids=["deepcopy", "pickle"])
def test_nor_is_an_event_with_a_handle(leak: Callable[[object], object]) -> None:
    """The same holds for an event that has one."""
    event = Event("decided", 0, subject=Subject(handle=HandleKey().close("Hana", "203.0.113.9")))
    with pytest.raises(TypeError):
        leak(event)


def test_a_handle_shows_nothing() -> None:
    """Error reporters print values: neither the event nor what a key opens shows an account or an address."""
    key = HandleKey()
    handle = key.close("Hana", "203.0.113.9")
    event = Event("decided", 0, subject=Subject(handle=handle))

    shown = f"{event!r} {handle} {key.open(handle)!r} {encode(event)}"
    assert "Hana" not in shown
    assert "203.0.113.9" not in shown


def test_an_event_cannot_be_changed() -> None:
    """One sink cannot change what the next one takes."""
    assert Event("decided", 1) == Event("decided", 1)
    assert Event("decided", 1) != Event("decided", 2)
    with pytest.raises(AttributeError):
        Event("decided", 1).more = 1  # type: ignore[attr-defined]


# Subjects.


def test_a_subject_names_the_network_and_digests() -> None:
    """The network is readable; account, address and device are digests of 32 hex digits, all different."""
    subject = subjects().of_attempt(attempt(), Device.PROVED)

    digests = [subject.account, subject.address, subject.device]
    assert (subject.network, subject.device_class, subject.country) == ("203.0.113.0/24", "proved", "")
    assert len(set(digests)) == 3
    assert all(len(bytes.fromhex(one)) == 16 for one in digests)


def test_digests_do_not_change_with_a_new_secret() -> None:
    """A newer secret in front changes no digest; another oldest secret changes all."""
    alone = Subjects([SECRET], str.lower).of_attempt(attempt(), Device.SEEN)
    other = Subjects([SECRET[::-1]], str.lower).of_attempt(attempt(), Device.SEEN)

    assert subjects().of_attempt(attempt(), Device.SEEN) == alone
    assert {alone.account, alone.address, alone.device}.isdisjoint({other.account, other.address, other.device})


def test_digests_are_not_those_of_the_store() -> None:
    """An attacker who reads both the store and the events cannot match accounts or addresses."""
    from sekisho.read import Digests  # noqa: PLC0415 - for this comparison alone

    stored = Digests([SECRET])
    subject = subjects().of_attempt(attempt(), Device.SEEN)
    origin = stored.origin_digests(FOUR)

    assert bytes.fromhex(subject.account) != stored.account("hana")
    assert bytes.fromhex(subject.address) != origin.ip
    assert bytes.fromhex(subject.device) != origin.device


def test_an_account_and_an_address_of_the_same_text_differ() -> None:
    """Each use has a key of its own."""
    text = FOUR.prefixes[0].decode("latin-1")
    subject = Subjects([SECRET], lambda _: text).of_account("x", FOUR)
    assert subject.account != subject.address


def test_spellings_share_a_digest() -> None:
    """An account outside of an attempt has the digest of its canonical spelling."""
    made = subjects()
    assert made.of_account("HANA").account == made.of_attempt(attempt("hana"), Device.SEEN).account != ""


def test_a_resolver_that_fails_costs_the_digest_alone() -> None:
    """The service's own resolver may raise; the step-up goes on."""

    def broken(_: str) -> str:
        raise RuntimeError("Hana")

    assert Subjects([SECRET], broken).of_account("Hana", FOUR).account == ""


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        (b"\xcb\x00\x71\x00\x18", "203.0.113.0/24"),
        (b"\x20\x01\x0d\xb8\0\0\x07" + bytes(9) + b"\x38", "2001:db8:0:700::/56"),
        (b"\0\0\0\0\xfe", ""),
    ],
)
def test_networks_as_text(prefix: bytes, text: str) -> None:
    """IPv4 and IPv6 prefixes are texts; a client without an address has none."""
    assert network_text(prefix) == text


def test_a_client_without_an_address_has_no_digest_of_one() -> None:
    """All clients of a unix socket would share the digest of one client."""
    subject = subjects().of_origin(NOWHERE)
    assert (subject.network, subject.address) == ("", "")


# The front.


def test_a_decision_is_an_event() -> None:
    """Door, action, reasons and mode of a judged attempt, at the clock's time."""
    sink = Kept()
    recording(sink).decided(LOGIN, THROTTLED, Mode.MONITOR, FOUR, attempt(), Device.STRANGER)

    assert sink.events == [
        Event(
            "decided",
            AT_US,
            "POST /login",
            action="throttle",
            reasons=("ip_rate", "deny_list"),
            mode="monitor",
            subject=subjects().of_attempt(attempt(), Device.STRANGER),
        )
    ]


def test_a_refusal_before_the_body_knows_the_client_alone() -> None:
    """An attempt that was refused unread has no account."""
    sink = Kept()
    recording(sink).decided(LOGIN, THROTTLED, Mode.ENFORCE, FOUR)

    subject = sink.events[0].subject
    assert (subject.account, subject.network) == ("", "203.0.113.0/24")


CAMPAIGN = LiveCampaign("c-922b76", ("network 203.0.113.0/24",), 1, 2, 40, 3, 1, 40, (), 0, 0)


def told(events: Events, origin: Origin = FOUR) -> None:
    """Everything that can happen, once."""
    events.decided(LOGIN, THROTTLED, Mode.ENFORCE, origin, attempt(origin=origin))
    events.settled(LOGIN, Outcome.SUCCEEDED, Basis.RULE, attempt(origin=origin), Device.SEEN, withheld=True)
    events.unreadable(LOGIN, "account_repeated", origin)
    events.crowded(LOGIN, origin)
    events.step_up_issued("POST /login", "login", "Hana", origin)
    events.proved("POST /login", "login", "totp", "Hana", origin)
    events.step_up_failed("POST /login", "login", "totp", "Hana", origin)
    events.step_up_not_completed("Hana")
    events.factor_changed("totp", "added", "Hana")
    events.factor_changed("totp", "stopped", "Hana")
    events.code_sent("email", "Hana")
    events.cap_reached("POST /payout", "refuse", "Hana")
    events.new_device("Hana")
    events.aged_device("Hana")
    events.notice_lost("factor_changed", "status 550")
    events.notice_answered("new_device", "no", "Hana")
    events.chosen(LOGIN, breached=True, attempt=attempt(origin=origin))
    events.change_password(LOGIN, "Hana", attempt(origin=origin))
    events.rule_tested(LOGIN, "wrong")
    events.unjudged(LOGIN, "large")
    events.anomaly("a sentence for the operator")
    events.store_answers(False)
    events.part_answers("hibp", True)
    events.counts_anew()
    subject = Subject("203.0.113.0/24", "ac", "ad", "de")
    events.commanded("mode", "jane (uid 1000)", "a trial", "monitor", subject)
    events.posture_changed(PostureChange("POST /login", "site", Posture.ATTACK, Posture.ELEVATED))
    events.campaign_changed(CampaignChange("recognised", CAMPAIGN))
    events.mode_changed(Mode.MONITOR)


def test_all_kinds_are_emitted() -> None:
    """Every kind of the table has a call that emits it, and no call emits another."""
    sink = Kept()
    told(recording(sink))

    kinds = {value for name, value in vars(Kind).items() if name.isupper()}
    assert {event.kind for event in sink.events} == kinds


def test_events_without_sinks_leave_the_counts_as_they_were() -> None:
    """The counts of all calls, as they were before there were events."""
    events = Events(clock_us=lambda: time.time_ns() // 1000)
    told(events)

    assert events.counts == {
        ("POST /login", "throttle", "ip_rate"): 1,
        ("POST /login", "throttle", "deny_list"): 1,
        ("POST /login", "more_findings", "throttle"): 1,
        ("POST /login", "outcome", "succeeded"): 1,
        ("POST /login", "success_by", "rule"): 1,
        ("POST /login", "unreadable", "account_repeated"): 1,
        ("POST /login", "unavailable", "crowded"): 1,
        ("POST /login", "proved_login", "totp"): 1,
        ("POST /login", "new_password", "breached"): 1,
        ("POST /login", "change_password", ""): 1,
        ("POST /login", "success_rule", "wrong"): 1,
        ("POST /login", "unjudged", "large"): 1,
        ("POST /login", "posture", "site,attack,elevated"): 1,
        ("", "campaign", "recognised"): 1,
        ("POST /payout", "cap_reached", "refuse"): 1,
        ("", "odd", "a sentence for the operator"): 1,
        ("", "store", "lost"): 1,
        ("", "hibp", "answers"): 1,
        ("", "store", "anew"): 1,
        ("", "command", "mode"): 1,
        ("", "mode", "monitor"): 1,
        ("", "notice_lost", "status 550"): 1,
        ("", "notice_answered", "no"): 1,
    }


UNCOUNTED = Origin("203.0.113.9", (), b"")
"""A client of which no subject can be made: it has no counted prefix."""


def test_nothing_is_built_for_kinds_that_no_sink_wants() -> None:
    """Digests cost several microseconds: they are not computed where no sink wants the event."""
    sink, asked = Kept({"mode_changed"}), list[str]()
    told(Events(sinks=(sink,), subjects=Subjects([SECRET], noting(asked)), clock_us=lambda: 7), UNCOUNTED)

    assert sink.events == [Event("mode_changed", 7, mode="monitor")]
    assert asked == []
    with pytest.raises(IndexError):
        told(Events(sinks=(Kept(),), subjects=Subjects([SECRET], noting(asked)), clock_us=lambda: 7), UNCOUNTED)


def noting(asked: list[str]) -> Callable[[str], str]:
    def canonical(account: str) -> str:
        asked.append(account)
        return account

    return canonical


def test_every_sink_takes_what_it_wants() -> None:
    """One call reaches several sinks, each with its own kinds."""
    decided, settled, both = Kept({"decided"}), Kept({"settled"}), Kept({"decided", "settled"})
    events = recording(decided, settled, both)
    events.decided(LOGIN, ALLOWED, Mode.ENFORCE, FOUR)
    events.settled(LOGIN, Outcome.FAILED, Basis.GUESS)

    found = [[event.kind for event in sink.events] for sink in (decided, settled, both)]
    assert found == [["decided"], ["settled"], ["decided", "settled"]]


class Broken(Kept):
    def take(self, event: Event) -> None:
        raise RuntimeError(f"Hana {event}")


def test_a_sink_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is counted and logged once, by its type alone; the log-in and the other sinks go on."""
    counts, after = Counts(), Kept()
    events = recording(Broken(), after, counts=counts)
    for _ in range(3):
        events.decided(LOGIN, ALLOWED, Mode.ENFORCE, FOUR)

    assert len(after.events) == 3
    assert counts.numbers["", "events", "failed"] == 3
    assert caplog.messages == ["an event was not recorded: RuntimeError"]


@pytest.mark.parametrize(
    ("after", "before", "said"),
    [
        (Posture.ATTACK, Posture.CALM, "posture of POST /login (site) rose from calm to attack"),
        (Posture.ELEVATED, Posture.ATTACK, "posture of POST /login (site) fell from attack to elevated"),
        (Posture.ATTACK, Posture.ATTACK, "posture of POST /login (site) stays attack"),
    ],
)
def test_the_end_of_an_alarm_is_not_told_like_its_beginning(
    after: Posture, before: Posture, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink, counts = Kept(), Counts()
    recording(sink, counts=counts).posture_changed(PostureChange("POST /login", "site", after, before))
    (event,) = sink.events
    assert (event.result, event.before) == (after.word, before.word)
    assert caplog.messages == [said]
    ((family, labels),) = summed(counts.numbers)
    assert dict(zip(family.labels, labels, strict=True)) == {
        "door": "POST /login", "segment": "site", "posture": after.word, "before": before.word
    }  # fmt: skip


def test_changes_that_workers_of_an_earlier_version_counted_are_still_shown() -> None:
    assert [labels for _, labels in summed({("POST /login", "posture", "site,attack"): 3})] == [
        ("POST /login", "site", "attack", "")
    ]


def test_the_log_line_is_as_before(caplog: pytest.LogCaptureFixture) -> None:
    """The line of a decision is JSON with mode, door, action and reasons, by the logger `sekisho.events`."""
    caplog.set_level("INFO")
    decision = Decision(Action.DENY, Action.DENY, (Finding(Action.DENY, "deny_list"),), 0)
    Events(clock_us=lambda: time.time_ns() // 1000).decided(LOGIN, decision, Mode.ENFORCE)

    assert [(one.name, one.getMessage()) for one in caplog.records] == [
        ("sekisho.events", '{"mode": "enforce", "door": "POST /login", "action": "deny", "reasons": ["deny_list"]}')
    ]


def test_doors_are_named_as_in_the_settings() -> None:
    """The door of an event is the one that the operator wrote."""
    assert Door(LOGIN.kind, "POST", "/login", ()).name == "POST /login"
