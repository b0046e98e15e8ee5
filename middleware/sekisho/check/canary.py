"""The canary: an invented log-in that decides whether a suspected success rule is wrong.

If a log-in to a nonexistent account is taken for a success, any other may be. A rule that fails this test is wrong
until it changes: no charge is refunded under it, no device becomes known, and its device tokens are void. If the canary
is not believed, the suspicion ends: an account owner has changed a password, or has several.
"""

from __future__ import annotations

import logging
from contextvars import Context
from typing import TYPE_CHECKING

from sekisho.check.advice import rule_line
from sekisho.check.answer import TrialAnswer
from sekisho.check.log_in import invented, log_in_at
from sekisho.check.trial import tried
from sekisho.model import Basis, DoorKind
from sekisho.stepup.flow.escrowed_scope import escrowed_scope
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.asgi.suspicion import Suspicion
    from sekisho.asgi.types import App
    from sekisho.check.trial import Trial
    from sekisho.judge import RuleTrust, SuccessTrust
    from sekisho.record import Events
    from sekisho.stepup.flow.csrf_cookies import CsrfCookies

log = logging.getLogger("sekisho")

_OF = {
    Basis.RULE: "the door's rule of success is wrong",
    Basis.GUESS: "success cannot be guessed there",
    Basis.REPORT: "the application reports a success too early",
}
CANNOT_TEST = (
    "%s: one account succeeded with two different secrets, and no invented log-in can show here whether the rule is "
    "wrong or a password was changed. Check it with `sekisho check` [SEK076]"
)


class Canary:
    """Tests suspected rules. Belongs to one event loop.

    Args:
        app: the application behind the guard.
        trust: holds the rules under test.
        events: counts the results.
        lifespan_state: the state of the application's lifespan.
        csrf: lets an invented log-in pass the CSRF protection like the suspected one.
        may_send: whether invented log-ins may be sent now; in monitor mode none are sent.
        clock_s: Unix time in seconds.
        chance: `n -> n` random bytes.
    """

    def __init__(
        self,
        app: App,
        trust: SuccessTrust,
        events: Events,
        *,
        lifespan_state: Callable[[], Mapping[str, object]],
        csrf: CsrfCookies,
        may_send: Callable[[], bool],
        clock_s: Callable[[], float],
        chance: Callable[[int], bytes],
    ) -> None:
        self._app = app
        self._trust = trust
        self._events = events
        self._lifespan_state = lifespan_state
        self._csrf = csrf
        self._may_send = may_send
        self._clock_s = clock_s
        self._chance = chance
        self._told: set[bytes] = set()  # rules; there are only as many as in the settings
        self._tasks = TaskSet()

    def test(self, suspicion: Suspicion) -> None:
        """Test a suspected success rule with an invented log-in, or log that none can be sent. Returns at once.

        The suspicion ends in any case.
        """
        if not (self._may_send() and _can_be_tested(suspicion)):
            return self._cannot_test(suspicion.rule)
        # In a new context: this request's own may hold its user.
        self._tasks.start(self._test(suspicion), context=Context())
        return None

    async def aclose(self) -> None:
        """Cancel the tests under way."""
        await self._tasks.cancel()

    async def _test(self, suspicion: Suspicion) -> None:
        rule, context = suspicion.rule, suspicion.context
        try:
            csrf = await self._csrf.of(context.scope, rule.door, self._lifespan_state())
            like = escrowed_scope(context.scope, rule.door, self._lifespan_state(), csrf)
            log_in = log_in_at(rule.door, invented(self._chance), like, context.body_reader.whole)
            trial = await tried(self._app, rule.door, log_in)
            self._decide(suspicion, trial)
        finally:
            rule.clear(self._clock_s())  # a rule found wrong meanwhile stays wrong

    def _decide(self, suspicion: Suspicion, trial: Trial) -> None:
        rule = suspicion.rule
        if trial.is_believed:
            wrong = self._trust.rule(rule.door, trial.basis)
            self._events.rule_tested(rule.door, "wrong")
            if self._trust.latch([wrong.id]):
                context = suspicion.context
                believed = TrialAnswer(suspicion.status, suspicion.headers, context.scope, context.body_reader.whole)
                say_wrong(wrong, rule_line(rule.door, believed, trial.answer))
        elif trial.tells:
            self._events.rule_tested(rule.door, "held")
        else:
            self._cannot_test(rule)

    def _cannot_test(self, rule: RuleTrust) -> None:
        self._events.rule_tested(rule.door, "untested")
        rule.clear(self._clock_s())
        if rule.id not in self._told:
            self._told.add(rule.id)
            log.warning(CANNOT_TEST, rule.door.name)


def say_wrong(rule: RuleTrust, line: str) -> None:
    """Log that a success rule is wrong, and `line`: what to write. Once per worker, because a rule is latched once."""
    log.error(
        "%s: a log-in with an invented account and an invented secret was taken for a success: %s. Until it changes, "
        "successes there give no charge back and no device token, and device tokens issued under it are void [SEK075]. "
        "%s",
        rule.door.name,
        _OF[rule.basis],
        line,
    )


def _can_be_tested(suspicion: Suspicion) -> bool:
    # At a door that reads only a header, the request has an effect of its own, which would happen twice. The types of a
    # GraphQL operation are not known here.
    door = suspicion.rule.door
    return door.kind is DoorKind.LOGIN and door.reads_body and not door.operation
