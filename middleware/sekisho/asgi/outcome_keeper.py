"""Keeps what an application's answer shows of an attempt: settles it, and adds what a success gives the client."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, final

from sekisho.asgi.keeper import Keeper
from sekisho.asgi.request_context import DEVICE_HEADER
from sekisho.asgi.suspicion import Suspicion
from sekisho.judge import Belief
from sekisho.judge.attempt_kind import is_log_in
from sekisho.model import Basis, Device, DoorKind, Outcome
from sekisho.model.history import OLD
from sekisho.read import BEFORE_THE_SECRET, is_own_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Renderer
    from sekisho.asgi.admission import Admission
    from sekisho.asgi.cookies import DeviceCookie
    from sekisho.asgi.keeper import AnsweredAttempt
    from sekisho.asgi.ports import Consequences
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.detect import PostureWatch
    from sekisho.known_devices import KnownDevices
    from sekisho.model import Door
    from sekisho.model.headers import Headers
    from sekisho.record import Events
    from sekisho.settler import Settler


log = logging.getLogger("sekisho")

NOT_THERE = (
    "%s: the application answers %d there. If its log-in has another path or method, guesses at it are not counted: "
    "correct %s [SEK070]"
)
NO_ROUTE = (
    "%s: the application answers 404 there. If the route has another path, it is open without a proof: correct "
    "SEKISHO_PROTECT [SEK085]"
)
ANSWERS_BELOW = (
    "%s: the application answers below this path as well, as a mounted application and a pattern without an end do. "
    "Guesses there are not counted: let it answer at this path alone [SEK086]"
)
# The names alone are calls in Python 3.11.
READS_BASIC = (
    "%s: the application looks at HTTP Basic there as well, and perhaps at all its routes. Guesses by that header are "
    "not counted: have it accept none, or add a door that opens by basic [SEK089]"
)
_FAILED: Final = Outcome.FAILED
_STRANGER: Final = Device.STRANGER
_SUCCEEDED: Final = Outcome.SUCCEEDED


@final
class OutcomeKeeper(Keeper):
    """Belongs to one event loop.

    Args:
        settler: settles.
        devices: names devices, and makes their tokens.
        reading: the doors, and what their answers teach.
        renderer: knows the origins that the operator has named.
        events: counts outcomes.
        admission: the strangers' attempts that are in the application.
        cookie: carries the device token.
        test: tests a suspected success rule; returns at once.
        clock_s: Unix time in seconds, by the store's clock.
        consequences: binds sessions, and is told of changes; None where the guard only refuses.
        watch: is told strangers' outcomes; None where the posture changes nothing.
    """

    def __init__(  # noqa: PLR0913 - all its parts arrive from outside
        self,
        settler: Settler,
        devices: KnownDevices,
        *,
        reading: Reading,
        renderer: Renderer,
        events: Events,
        admission: Admission,
        cookie: DeviceCookie,
        test: Callable[[Suspicion], None],
        clock_s: Callable[[], float],
        consequences: Consequences | None = None,
        watch: PostureWatch | None = None,
    ) -> None:
        self._settler: Final = settler
        self._devices: Final = devices
        self._answers: Final = reading.answers
        self._unseen: Final = {door.name for door in reading.doors.all if door.reads_body}
        self._renderer: Final = renderer
        self._events: Final = events
        self._admission: Final = admission
        self._cookie: Final = cookie
        self._test: Final = test
        self._clock_s: Final = clock_s
        self._consequences: Final = consequences
        self._watch: Final = watch

    def started(self, answered: AnsweredAttempt, learned: Outcome | None) -> None:
        """Learn from an answer's head: which success rule would fit, and whether the door exists at all."""
        context, status, headers = answered.context, answered.status, answered.headers
        self._admission.answered(context.body_reader, status)
        if context.door.name in self._unseen and is_own_method(context.door, context.scope):
            self._saw_first(context.door, status)
        self._answers.started(context.door, status, headers, context.scope, context.body_reader.whole, learned)

    def read(self, answered: AnsweredAttempt, body: bytes | None) -> None:
        self._answers.read(answered.context.door, answered.status, answered.headers, body)

    def unjudged(self, answered: AnsweredAttempt, why: str) -> None:
        self._answers.unjudged(answered.context.door, why)

    def success_headers(self, answered: AnsweredAttempt, body: bytes) -> tuple[Headers, bool]:
        """The headers that a success adds to the answer, and whether a device token is among them.

        They are a device token and a session binding. Only doors whose single effect is a session hand out tokens.
        """
        context, assessment, headers, basis = answered.context, answered.assessment, answered.headers, answered.basis
        attempt, now_s = assessment.attempt, self._clock_s()
        belief, suspected = self._settler.saw_success(assessment, basis, now_s)
        if suspected is not None:
            self._test(Suspicion(suspected, context, answered.status, headers))
        if belief is Belief.NOTHING:
            return [], False
        # A door that only reads a header belongs to an API, whose clients keep no cookies. And a request that asks for
        # a code without trying one has proved nothing.
        kind = attempt.door.kind
        # A completed reset lets an owner in whose account is under attack. Only a rule shows that it was completed.
        is_reset = kind is DoorKind.RESET and basis is not Basis.GUESS and is_own_method(attempt.door, context.scope)
        gives = _logs_in(kind) or is_reset
        if not (gives and attempt.account and attempt.secret and attempt.door.reads_body):
            return [], False
        # A guessed success makes no device known: if the guess is wrong, every wrong password would earn a token.
        name = b""
        if belief is Belief.FULL and not self._is_planted(context):
            name = self._devices.device_name(assessment.token, attempt.door, basis)
        device = [self._device(context, assessment, name, int(now_s))] if name else []
        if self._consequences is None:
            return device, bool(device)
        self._consequences.let_in(context, attempt, name)
        if kind is DoorKind.RESET:
            return device, bool(device)
        binding = self._consequences.binding(context, attempt, headers, body)
        return [*device, *binding], bool(device)

    def ended(self, answered: AnsweredAttempt) -> None:
        """Settle the attempt, and tell the service when a leaked password is still in use."""
        context, assessment = answered.context, answered.assessment
        outcome, basis, door = answered.outcome, answered.basis, assessment.attempt.door
        held = self._admission.held
        if held and context.body_reader in held:  # it has not even begun to answer
            self._admission.free(context.body_reader)
        renewed, browser_key = answered.renewed, answered.browser_key
        self._settler.settle(assessment, outcome, basis, renewed=renewed, browser_key=browser_key)
        self._events.settled(door, outcome, basis, assessment.attempt, assessment.device, assessment)
        if self._watch is not None and assessment.device is _STRANGER:
            self._tell_watch(self._watch, answered)
        if self._consequences is not None and door.changes_account and _may_have_changed(door, outcome):
            self._consequences.account_changed(answered)
        # At other doors the password is just being changed.
        if outcome is _SUCCEEDED and assessment.decision.change_password and door.kind is DoorKind.LOGIN:
            self._events.change_password(door, answered.account, assessment.attempt)
            if self._consequences is not None:
                self._consequences.breached(context.scope, assessment.attempt, answered.account)

    def _saw_first(self, door: Door, status: int) -> None:
        self._unseen.discard(door.name)
        if status in {404, 405}:
            log.warning(NOT_THERE, door.name, status, f"SEKISHO_{door.kind.name}")

    def _is_planted(self, context: RequestContext) -> bool:
        """Whether a form on another site sent a log-in, perhaps into the attacker's own account.

        The browser withholds its token there, and would replace it with ours: its owner would be a stranger (E47).
        """
        if context.by_name.get(b"sec-fetch-site") != b"cross-site" or context.presented.token:
            return False
        return not self._renderer.is_elsewhere(context.by_name, context.scope["headers"])

    def _device(self, context: RequestContext, assessment: Assessment, name: bytes, now_s: int) -> tuple[bytes, bytes]:
        token = self._devices.new_token(assessment.attempt, assessment.token, name, context.family, now_s)
        if context.presented.by_header:
            return DEVICE_HEADER, token.encode()
        elsewhere = self._renderer.is_elsewhere(context.by_name, context.scope["headers"])
        return b"set-cookie", self._cookie.line(token, elsewhere=elsewhere)

    def _tell_watch(self, watch: PostureWatch, answered: AnsweredAttempt) -> None:
        context, assessment, outcome = answered.context, answered.assessment, answered.outcome
        attempt, succeeded = assessment.attempt, outcome is _SUCCEEDED
        # At a door that reads a header, a page or 404 shows nothing about the secret.
        checked = (attempt.door.reads_body or outcome is _FAILED) and _shows_secret_checked(answered.status)
        if attempt.account and is_log_in(attempt) and (succeeded or checked):
            account, is_new = assessment.charge.account, _is_new(assessment)
            watch.settled(
                attempt.door.name, context.digests, context.family, account, succeeded=succeeded, is_new=is_new
            )


def _logs_in(kind: DoorKind) -> bool:
    # A code is the application's own second step, or its only one. Compared, not looked up: the hash of an
    # enumeration's member runs as Python code.
    return kind is DoorKind.LOGIN or kind is DoorKind.CODE


def _is_new(assessment: Assessment) -> bool:
    """Whether the account's first success is less than a week old. Never where no history is kept or can be read."""
    verdict = assessment.verdict
    return bool(assessment.charge.place) and not verdict.counters_lost and not verdict.history & OLD


def _may_have_changed(door: Door, outcome: Outcome) -> bool:
    # The owner is told of a link that failed, too.
    return outcome is not _FAILED or door.kind is DoorKind.LINK


def _shows_secret_checked(status: int) -> bool:
    """Whether an answer that shows no success means a wrong secret: an application that fails is no attack."""
    return 0 < status < 500 and status not in BEFORE_THE_SECRET
