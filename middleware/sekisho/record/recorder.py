"""Records what happens: one call for each event, any number of sinks.

Counts are always kept, and decisions are always logged: both take plain arguments. An `Event` is built only if a sink
wants events of its kind, so that an attempt costs no more than its counts where there is none. Sinks behind which a
thread writes get notes of attempts' events, and make the events there.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.model import Action, Device, Outcome
from sekisho.record.counted import SPRAYED_MIN, counting_of
from sekisho.record.counts import Counts
from sekisho.record.event_writer import EventWriter
from sekisho.record.events import NOBODY, WITHHELD, Event, Kind, Subject
from sekisho.record.hook import Hook
from sekisho.record.notes import event_of
from sekisho.record.unread import warn_unread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.judge.posture import PostureChange
    from sekisho.model import Attempt, Basis, Decision, Door, Mode, Origin
    from sekisho.record.campaigns.live import CampaignChange
    from sekisho.record.counted import Counting, Judged
    from sekisho.record.hook import AccountHook
    from sekisho.record.notes import Note
    from sekisho.record.subjects import Subjects

log = logging.getLogger("sekisho.events")

_NAMES = {action: action.name.lower() for action in Action}
_CHANGES = {"added": Kind.FACTOR_ENROLLED}


class Sink(Protocol):
    """Takes events.

    `kinds`: the kinds that it wants.
    """

    @property
    def kinds(self) -> frozenset[str]: ...

    def take(self, event: Event) -> None:
        """Note one event, to be handled later: the call runs within a log-in, so it neither waits nor blocks."""
        ...


class Events:
    """The front of all that records. Its methods are called where things happen; none of them raises.

    Args:
        on_change_password: the service's own function; see `AccountHook`.
        counts: kept from the start.
        sinks: take events.
        subjects: makes the subjects of events; None: events have none.
        keeps_counting: note what the counters were asked about each attempt, and not only about those whose secret was
            tried at many accounts; see `sekisho.record.counted`.
        clock_us: Unix time in microseconds.
    """

    def __init__(
        self,
        on_change_password: AccountHook | None = None,
        *,
        counts: Counts | None = None,
        sinks: Sequence[Sink] = (),
        subjects: Subjects | None = None,
        keeps_counting: bool = False,
        clock_us: Callable[[], int],
    ) -> None:
        self._counts: Final = Counts() if counts is None else counts
        self.counts: Final = self._counts.numbers
        self._on_change_password = Hook(on_change_password) if on_change_password else None
        self._wanted: Final = frozenset([kind for sink in sinks for kind in sink.kinds])
        self._queues: Final = [sink.queue for sink in sinks if isinstance(sink, EventWriter)]
        self._at_once: Final = tuple([sink for sink in sinks if not isinstance(sink, EventWriter)])
        self._wanted_at_once: Final = frozenset([kind for sink in self._at_once for kind in sink.kinds])
        self._subjects: Final = subjects
        self._keeps_counting: Final = keeps_counting
        self._clock_us: Final = clock_us
        self._failed = False

    def emit(self, event: Event) -> None:
        """Give an event to every sink that wants its kind. A sink that fails is logged once, and never disturbs."""
        for queue in self._queues:
            queue.put(event)
        self._give(event)

    def _note(self, note: Event | Note) -> None:
        """As `emit`, for a note. The type has the compiler make one tuple of it, and not one for each queue."""
        for queue in self._queues:
            queue.put(note)
        if self._wanted_at_once and isinstance(note, tuple) and note[0] in self._wanted_at_once:
            self._give(event_of(note, self._subjects))

    def _give(self, event: Event) -> None:
        for sink in self._at_once:
            if event.kind in sink.kinds:
                try:
                    sink.take(event)
                except Exception as error:  # noqa: BLE001 - a log-in must not fail because it cannot be recorded
                    self._sink_failed(error)

    def _sink_failed(self, error: Exception) -> None:
        self._counts.add("", "events", "failed")
        if not self._failed:
            self._failed = True
            # Only its type: the message may contain what the event stands for.
            log.error("an event was not recorded: %s", type(error).__name__)

    # Attempts.

    def decided(
        self,
        door: Door,
        decision: Decision,
        mode: Mode,
        origin: Origin | None = None,
        attempt: Attempt | None = None,
        device: Device = Device.STRANGER,
        judged: Judged | None = None,
    ) -> None:
        """Record the decision on an attempt, and count its findings; attempts with findings are logged at INFO.

        Args:
            door: the attempt's door.
            decision: on the attempt.
            mode: the guard's, at that time.
            origin: the client of an attempt that was refused unread.
            attempt: None where it was refused unread.
            device: how well the client's device is known.
            judged: all findings about the attempt, as the counters gave them; None where they were not asked.
        """
        if not decision.findings:
            self._counts.add(door.name, "allow", "")
        else:
            self._found(door, decision, mode)
        if Kind.DECIDED in self._wanted:
            door_name, at_us = door.name, self._clock_us()
            if attempt is None:
                self._note((Kind.DECIDED, at_us, door_name, decision, mode, None, origin, "", "", device, None))
            else:
                counting = self._counting(judged) if judged is not None else None
                self._note((
                    Kind.DECIDED, at_us, door_name, decision, mode, None, attempt.origin, attempt.account,
                    attempt.canonical, device, counting,
                ))  # fmt: skip

    def _counting(self, judged: Judged) -> Counting | None:
        sprayed = judged.verdict.spread.accounts_per_secret >= SPRAYED_MIN
        return counting_of(judged) if sprayed or self._keeps_counting else None

    def _found(self, door: Door, decision: Decision, mode: Mode) -> None:
        action = _NAMES[decision.asked]
        for finding in decision.findings:
            self._counts.add(door.name, action, finding.reason)
        if len(decision.findings) > 1:  # with these, the counts of an action add up to its attempts
            self._counts.add(door.name, "more_findings", action, len(decision.findings) - 1)
        if log.isEnabledFor(logging.INFO):
            log.info("%s", _line(mode, door, decision.asked, [finding.reason for finding in decision.findings]))

    def unreadable(self, door: Door, reason: str, origin: Origin | None = None) -> None:
        """Record that an attempt could not be read, and was refused. `reason`: why it could not."""
        if self._counts.add(door.name, "unreadable", reason) == 1:
            warn_unread(door, reason)
        if Kind.UNREADABLE in self._wanted:
            at_us = self._clock_us()
            self._note((Kind.UNREADABLE, at_us, door.name, reason, None, None, origin, "", "", Device.STRANGER, None))

    def crowded(self, door: Door, origin: Origin | None = None) -> None:
        """Record that a stranger's attempt was refused, because the application was at its limit."""
        self._counts.add(door.name, "unavailable", "crowded")
        if Kind.CROWDED in self._wanted:
            at_us = self._clock_us()
            self._note((Kind.CROWDED, at_us, door.name, "", None, None, origin, "", "", Device.STRANGER, None))

    def settled(
        self,
        door: Door,
        outcome: Outcome,
        basis: Basis,
        attempt: Attempt | None = None,
        device: Device = Device.STRANGER,
        judged: Judged | None = None,
        *,
        withheld: bool = False,
    ) -> None:
        """Record the outcome of an attempt. Successes are also counted by their basis.

        `withheld`: a proof is asked for, and the client gets the application's answer only after it.
        """
        self._counts.add(door.name, "outcome", _word(outcome))
        if outcome is Outcome.SUCCEEDED:
            self._counts.add(door.name, "success_by", _word(basis))
        if Kind.SETTLED in self._wanted:
            at_us = self._clock_us()
            if attempt is None:
                self._note((Kind.SETTLED, at_us, door.name, "", outcome, basis, None, "", "", device, None))
            else:
                counting = self._counting(judged) if judged is not None else None
                self._note((
                    Kind.SETTLED, at_us, door.name, WITHHELD if withheld else "", outcome, basis, attempt.origin,
                    attempt.account, attempt.canonical, device, counting,
                ))  # fmt: skip

    def has_let_in(self, door: Door) -> bool:
        """Whether any attempt at the door has succeeded since the start."""
        return (door.name, "outcome", _word(Outcome.SUCCEEDED)) in self._counts.numbers

    def rule_tested(self, door: Door, result: str) -> None:
        """Record the test of a suspected success rule: `wrong`, `held`, or `untested` where no test was possible."""
        self._counts.add(door.name, "success_rule", result)
        if Kind.SUCCESS_RULE in self._wanted:
            self.emit(Event(Kind.SUCCESS_RULE, self._clock_us(), door.name, result=result))

    def unjudged(self, door: Door, why: str) -> int:
        """Record that an answer at a door could not be judged.

        Returns how often that has happened there for this reason.
        """
        count = self._counts.add(door.name, "unjudged", why)
        if Kind.UNJUDGED in self._wanted:
            self.emit(Event(Kind.UNJUDGED, self._clock_us(), door.name, reasons=(why,)))
        return count

    # Step-ups and factors.

    def step_up_issued(self, door: str, purpose: str, account: str, origin: Origin | None = None) -> None:
        """Record that a client was asked for a second proof.

        `door`: the name of the door or route; `purpose`: what it is for.
        """
        if Kind.STEP_UP_ISSUED in self._wanted:
            self.emit(
                Event(
                    Kind.STEP_UP_ISSUED,
                    self._clock_us(),
                    door,
                    purpose=purpose,
                    subject=self._of_account(account, origin),
                )
            )

    def proved(self, door: str, purpose: str, factor: str, account: str = "", origin: Origin | None = None) -> None:
        """Record that a client showed a valid second proof.

        `door`: a door's or route's name, or empty for the guard's own pages.
        """
        self._counts.add(door, f"proved_{purpose}", factor)
        if Kind.STEP_UP_PROVED in self._wanted:
            subject = self._of_account(account, origin)
            self.emit(
                Event(Kind.STEP_UP_PROVED, self._clock_us(), door, purpose=purpose, factor=factor, subject=subject)
            )

    def step_up_failed(self, door: str, purpose: str, factor: str, account: str, origin: Origin | None = None) -> None:
        """Record that a client showed a wrong proof. `factor`: one of the site's; empty for any other text."""
        if Kind.STEP_UP_FAILED in self._wanted:
            subject = self._of_account(account, origin)
            self.emit(
                Event(Kind.STEP_UP_FAILED, self._clock_us(), door, purpose=purpose, factor=factor, subject=subject)
            )

    def step_up_not_completed(self, account: str) -> None:
        """Record that a client had the right secret, and showed no proof within the ticket's life."""
        if Kind.STEP_UP_NOT_COMPLETED in self._wanted:
            self.emit(Event(Kind.STEP_UP_NOT_COMPLETED, self._clock_us(), subject=self._of_account(account)))

    def factor_changed(self, factor: str, change: str, account: str) -> None:
        """Record that a factor was `added`, `removed`, `used` up, `reset`, or `stopped` after too many wrong codes.

        `reset_asked`: its owner began a recovery, which removes all factors a day later.
        """
        kind = _CHANGES.get(change, Kind.FACTOR_CHANGED)
        if kind in self._wanted:
            result = "" if change in _CHANGES else change
            self.emit(Event(kind, self._clock_us(), factor=factor, result=result, subject=self._of_account(account)))

    def cap_reached(self, door: str, action: str, account: str) -> None:
        """Record that an amount would have exceeded a cap.

        `action`: the amount was refused (`refuse`), or a proof was asked for (`step_up`).
        """
        self._counts.add(door, "cap_reached", action)
        if Kind.CAP_REACHED in self._wanted:
            subject = self._of_account(account)
            self.emit(Event(Kind.CAP_REACHED, self._clock_us(), door, action=action, subject=subject))

    def code_sent(self, factor: str, account: str) -> None:
        """Record that a code was handed to the mail server, or to the service's own sender."""
        if Kind.CODE_SENT in self._wanted:
            self.emit(Event(Kind.CODE_SENT, self._clock_us(), factor=factor, subject=self._of_account(account)))

    def new_device(self, account: str) -> None:
        """Record that a device completed a factor at this account for the first time."""
        if Kind.NEW_DEVICE in self._wanted:
            self.emit(Event(Kind.NEW_DEVICE, self._clock_us(), subject=self._of_account(account)))

    def aged_device(self, account: str) -> None:
        """Record that the owner was told of a device that is let in by its age, without a proof."""
        if Kind.AGED_DEVICE in self._wanted:
            self.emit(Event(Kind.AGED_DEVICE, self._clock_us(), subject=self._of_account(account)))

    def notice_answered(self, kind: str, said: str, account: str) -> None:
        """Record an owner's answer to a notice. `said`: `yes`, it was the owner, or `no`. `kind`: of the notice."""
        self._counts.add("", "notice_answered", said)
        if Kind.NOTICE_ANSWERED in self._wanted:
            subject = self._of_account(account)
            self.emit(Event(Kind.NOTICE_ANSWERED, self._clock_us(), notice=kind, result=said, subject=subject))

    def notice_lost(self, kind: str, why: str) -> None:
        """Record that a notice to an owner was given up.

        `kind`: of the notice; empty if the notice could not be read.
        """
        self._counts.add("", "notice_lost", why)
        if Kind.NOTICE_LOST in self._wanted:
            self.emit(Event(Kind.NOTICE_LOST, self._clock_us(), notice=kind, result=why))

    # Passwords.

    def chosen(self, door: Door, *, breached: bool | None, attempt: Attempt | None = None) -> None:
        """Record that a new password was looked up.

        `breached`: whether it has leaked; None where no source could tell.
        """
        known = {True: "breached", False: "not_known", None: "unknown"}[breached]
        self._counts.add(door.name, "new_password", known)
        if Kind.NEW_PASSWORD in self._wanted:
            self.emit(
                Event(Kind.NEW_PASSWORD, self._clock_us(), door.name, result=known, subject=self._of_attempt(attempt))
            )

    def change_password(self, door: Door, account: str, attempt: Attempt | None = None) -> None:
        """Record that an owner logged in with a leaked password, and call the service's function with the account.

        The account goes nowhere else.
        """
        self._counts.add(door.name, "change_password", "")
        if Kind.CHANGE_PASSWORD in self._wanted:
            self.emit(Event(Kind.CHANGE_PASSWORD, self._clock_us(), door.name, subject=self._of_attempt(attempt)))
        if self._on_change_password is not None:
            self._on_change_password(account)

    # The service as a whole.

    def part_answers(self, part: str, answers: bool) -> None:
        """Record that a part has begun or ceased to answer; its cause is logged elsewhere.

        `part`: a source of leaked passwords (`corpus`, `pairs`, `hibp`), `owners`, `mail` or `webhook`.
        """
        self._counts.add("", part, "answers" if answers else "lost")
        kind = Kind.RECOVERED if answers else Kind.DEGRADED
        if kind in self._wanted:
            self.emit(Event(kind, self._clock_us(), part=part))

    def store_answers(self, answers: bool) -> None:
        """Record that the store has begun or ceased to work.

        The cause is logged elsewhere, by the connection to the store.
        """
        lost = ("", "store", "lost") in self.counts
        self._counts.add("", "store", "answers" if answers else "lost")
        kind = Kind.RECOVERED if answers else Kind.DEGRADED
        if kind in self._wanted:
            self.emit(Event(kind, self._clock_us(), part="store"))
        if not answers:
            log.warning("counting is degraded until the store works again (SEKISHO_ON_STORE_FAILURE)")
        elif lost:  # as loud as the loss: a log that drops INFO would show outages that never end
            log.warning("the store works again")
        else:
            log.info("the store works")

    def counts_anew(self) -> None:
        """Record that the store has lost all its data, so that all counters begin anew."""
        self._counts.add("", "store", "anew")
        if Kind.STORE_EMPTIED in self._wanted:
            self.emit(Event(Kind.STORE_EMPTIED, self._clock_us()))
        log.warning(
            "the store was emptied, or came back without its data: all counters begin anew, and pending step-ups are "
            "lost (persist it, or give it a replica)"
        )

    def mode_changed(self, mode: Mode) -> None:
        """Record that an operator has switched the mode."""
        self._counts.add("", "mode", _word(mode))
        if Kind.MODE_CHANGED in self._wanted:
            self.emit(Event(Kind.MODE_CHANGED, self._clock_us(), mode=_word(mode)))

    def posture_changed(self, change: PostureChange) -> None:
        """Record a new posture, estimated or forced, of a door, or of a network or browser family there."""
        word, before = change.posture.word, change.before.word
        self._counts.add(change.door, "posture", f"{change.segment},{word},{before}")
        if Kind.POSTURE_CHANGED in self._wanted:
            reasons, now_us = (change.segment,), self._clock_us()
            self.emit(Event(Kind.POSTURE_CHANGED, now_us, change.door, reasons=reasons, result=word, before=before))
        # A network is one of many: only what concerns all strangers is said aloud.
        level = logging.INFO if change.segment in {"network", "provider", "browser"} else logging.WARNING
        where = change.door or "all doors"
        if change.posture is change.before:
            log.log(level, "posture of %s (%s) stays %s", where, change.segment, word)
        else:
            turn = "rose" if change.posture > change.before else "fell"
            log.log(level, "posture of %s (%s) %s from %s to %s", where, change.segment, turn, before, word)

    def campaign_changed(self, change: CampaignChange) -> None:
        """Record that a campaign was recognised, has entered its first account, or has ended."""
        what, campaign = change
        self._counts.add("", "campaign", what)
        text = campaign.text
        if Kind.CAMPAIGN in self._wanted:
            self.emit(Event(Kind.CAMPAIGN, self._clock_us(), reasons=campaign.kinds, result=what, text=text))
        log.warning("campaign %s: %s", what, text)

    def commanded(self, command: str, by: str, why: str, mode: str = "", subject: Subject = NOBODY) -> None:
        """Record that this worker has obeyed an operator's command. `by`: the operator; `why`: the reason given."""
        self._counts.add("", "command", command)
        if Kind.COMMANDED in self._wanted:
            self.emit(
                Event(Kind.COMMANDED, self._clock_us(), command=command, by=by, text=why, mode=mode, subject=subject)
            )

    def anomaly(self, text: str) -> None:
        """Log a setup that must be a mistake. Logged again at 10, 100, 1,000 times, and so on."""
        count = self._counts.add("", "odd", text)
        if Kind.MISCONFIGURED in self._wanted:
            self.emit(Event(Kind.MISCONFIGURED, self._clock_us(), text=text))
        if count in {1, 10, 100, 1_000} or count % 10_000 == 0:
            log.warning("%s%s", text, f" (seen {count} times)" if count > 1 else "")

    def _of_attempt(self, attempt: Attempt | None) -> Subject:
        if self._subjects is None or attempt is None:
            return NOBODY
        return self._subjects.of_attempt(attempt, Device.STRANGER)

    def _of_account(self, account: str, origin: Origin | None = None) -> Subject:
        return NOBODY if self._subjects is None else self._subjects.of_account(account, origin)


def _word(member: Outcome | Basis | Mode) -> str:
    # In Python `value` is a descriptor, which costs more than the counting itself.
    word: str = member._value_
    return word


def _line(mode: Mode, door: Door, asked: Action, reasons: list[str]) -> str:
    return json.dumps({"mode": mode.value, "door": door.name, "action": _NAMES[asked], "reasons": reasons})
