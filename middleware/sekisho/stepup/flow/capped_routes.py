"""Protected routes whose amounts are summed: at most so much of one account in a period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.asgi.body_reader import BodyReader, HungUp
from sekisho.asgi.ports import Stale
from sekisho.asgi.response_observer import BODIES
from sekisho.model import OverCap, StoreUnavailable, Unreadable
from sekisho.read import decoded, read_amount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.types import App, Message, Receive, Scope, Send
    from sekisho.ledger.caps import CapLedger
    from sekisho.model import Cap, CappedRoute
    from sekisho.stepup.flow.cap_answers import CapAnswers
    from sekisho.stepup.flow.cap_proofs import CapProofs
    from sekisho.stepup.flow.protected_routes import Capped, Protection

TIMEOUTS: Final = frozenset({408, 499})
"""4xx statuses by which an application or a proxy in it says that it does not know what became of the request."""


class TakenAmount(NamedTuple):
    """An amount that was counted. `at_us`: by the store's clock."""

    key: bytes
    amount: int
    at_us: int
    caps: Sequence[Cap]


class OverTheCap(NamedTuple):
    """An amount that exceeds a cap. `stale`: the proof to ask for; None where the route refuses."""

    account: str
    stale: Stale | None


class Amounts(NamedTuple):
    """Reads amounts.

    Attributes:
        patience: how long a body may take.
        body_bytes_max: how long a body may be.
    """

    patience: Patience
    body_bytes_max: int

    async def read(self, found: Sequence[Capped], scope: Scope, reader: BodyReader) -> int:
        """The amount of a request that may lead to the routes `found`. Raises `Unreadable` or `HungUp`."""
        if len(found) > 1:
            # Routers disagree about the route: one of the sums would be the wrong one.
            raise Unreadable(400, "two_amounts")
        raw = await reader.read(bytes_max=self.body_bytes_max, patience=self.patience)
        body = decoded(scope["headers"], raw, self.body_bytes_max)
        return read_amount(found[0].door, scope, body, raw=raw)


class CappedRoutes:
    """Counts amounts before the application sees them, as attempts are. Belongs to one event loop.

    An amount that cannot be counted does not pass, with any `SEKISHO_ON_STORE_FAILURE`: a transfer can wait.

    Args:
        app: the application.
        protection: finds the capped route and the account of a request.
        amounts: reads amounts.
        ledger: keeps the sums.
        key_of: the key of an account's sums at a route, given the route's name: all its spellings share one cap.
        proofs: asked for beyond a cap.
        answers: answer in place of the application.
        clock_s: Unix time.
    """

    def __init__(
        self,
        app: App,
        protection: Protection,
        amounts: Amounts,
        ledger: CapLedger,
        *,
        key_of: Callable[[str, str], bytes],
        proofs: CapProofs,
        answers: CapAnswers,
        clock_s: Callable[[], float],
    ) -> None:
        self._app = app
        self._protection = protection
        self._amounts = amounts
        self._ledger = ledger
        self._key_of = key_of
        self._proofs = proofs
        self._answers = answers
        self._clock_s = clock_s

    def capped(self, scope: Scope, *, has_body: bool = False) -> bool:
        """Whether a request may lead to a route with a cap on its amounts.

        `has_body`: as in `Doors.find`. Raises `Unreadable` as that does.
        """
        return bool(self._protection.capped(scope, has_body=has_body))

    async def pass_on(self, as_sent: Scope, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request's amount, then call the application; above a cap, or on an error, answer instead.

        The answer is a refusal or, above the cap of some routes, a question for a proof.

        Args:
            as_sent: the scope for the application.
            scope: the same, with header names in lower case. Its proof is fresh.
            receive: the client's.
            send: the same.
        """
        reader = BodyReader(receive)
        # A capped route is found with a body, as it has one: its absence is refused below.
        found = self._protection.capped(scope, has_body=True)
        route = found[0].route
        try:
            amount = await self._amounts.read(found, scope, reader)
            taken = await self._taken(scope, route, amount)
        except Unreadable as error:
            return await self._answers.unreadable(route, scope, send, error.status)
        except StoreUnavailable:
            return await self._answers.uncounted(route, scope, send)
        except HungUp:
            return None
        if isinstance(taken, OverTheCap):
            return await self._answers.reached(route, scope, send, taken.account, taken.stale)
        return await self._watched(taken, as_sent, reader, send)

    async def _taken(self, scope: Scope, route: CappedRoute, amount: int) -> TakenAmount | OverTheCap:
        """The amount, counted; or what follows where it exceeds a cap."""
        binding = await self._protection.binding(scope, int(self._clock_s()))
        if binding is None:
            raise StoreUnavailable  # its proof was fresh a moment ago
        key = self._key_of(route.name, binding.account)
        verdict = await self._ledger.take(key, amount, route.caps)
        if verdict.admitted:
            return TakenAmount(key, amount, verdict.at_us, route.caps)
        if route.over is OverCap.STEP_UP and await self._proofs.is_proved(key, amount, binding.proved_s):
            return TakenAmount(key, 0, verdict.at_us, route.caps)
        return OverTheCap(binding.account, self._asked(route, scope, binding.account))

    def _asked(self, route: CappedRoute, scope: Scope, account: str) -> Stale | None:
        if route.over is not OverCap.STEP_UP:
            return None
        protected = self._protection.route(scope, has_body=True)
        return Stale(protected, account) if protected is not None else None

    async def _watched(self, taken: TakenAmount, as_sent: Scope, reader: BodyReader, send: Send) -> None:
        """Call the application; give the amount back if its whole answer is an explicit refusal.

        A 5xx, a cut answer or an exception leaves it open whether money has moved: the charge stands.
        """
        status = 0

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif _is_refusal(status) and message["type"] in BODIES and not message.get("more_body", False):
                # Once: trailers follow the body, and a second time would take out another amount.
                status = 0
                # Before the answer's end, or an owner who corrects the form at once would find no room.
                await self._give_back(taken)
            await send(message)

        await self._app(as_sent, reader.replay, watching)

    async def _give_back(self, taken: TakenAmount) -> None:
        if not taken.amount:
            return
        try:
            await self._ledger.give_back(taken.key, taken.amount, taken.at_us, taken.caps)
        except StoreUnavailable:
            return  # it stands: asked again, it might be given back twice


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in TIMEOUTS
