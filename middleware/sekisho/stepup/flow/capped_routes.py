"""Protected routes whose amounts are summed: at most so much of one account in a period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.answer import cap_reached, retry_after_s, send_answer, unavailable, unreadable_attempt
from sekisho.asgi.body_reader import BodyReader, HungUp
from sekisho.asgi.ports import Stale
from sekisho.asgi.response_observer import BODIES
from sekisho.model import OverCap, StoreUnavailable, Unreadable
from sekisho.read import decoded, read_amount
from sekisho.stepup.escrow import TICKET_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sekisho.answer import Refusal, Renderer
    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.types import App, Message, Receive, Scope, Send
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.ledger.caps import CapLedger
    from sekisho.model import Cap, CappedRoute
    from sekisho.record import Events, RefusalLog
    from sekisho.stepup.flow.protected_routes import Capped, Protection
    from sekisho.store.vault import Vault

BUSY_US = 2_000_000

TIMEOUTS: Final = frozenset({408, 499})
"""4xx statuses by which an application or a proxy in it says that it does not know what became of the request."""


class TakenAmount(NamedTuple):
    """An amount that was counted. `at_us`: by the store's clock."""

    key: bytes
    amount: int
    at_us: int
    caps: Sequence[Cap]


class CappedRoutes:
    """Counts amounts before the application sees them, as attempts are. Belongs to one event loop.

    An amount that cannot be counted does not pass, with any `SEKISHO_ON_STORE_FAILURE`: a transfer can wait.

    Args:
        app: the application.
        protection: finds the capped route and the account of a request.
        ledger: keeps the sums.
        vault: remembers which amounts a proof was asked for.
        keys: name both; a reader of the store learns no account.
        account_digest: of an account: all its spellings share one cap.
        ask_for_proof: answers by asking for a proof.
        renderer: renders refusals.
        events: records that a cap was reached.
        refusals: logs refusals.
        patience: how long a body may take.
        body_bytes_max: how long a body may be.
        jitter: uniform in [0, 1), for the time after which to try again.
        clock_s: Unix time.
        tell: tells the account's owner that a cap was reached.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        app: App,
        protection: Protection,
        ledger: CapLedger,
        vault: Vault,
        keys: VaultKeys,
        *,
        account_digest: Callable[[str], bytes],
        ask_for_proof: Callable[[Scope, Send, Stale], Awaitable[None]],
        renderer: Renderer,
        events: Events,
        refusals: RefusalLog,
        patience: Patience,
        body_bytes_max: int,
        jitter: Callable[[], float],
        clock_s: Callable[[], float],
        tell: Callable[[Scope, str], None],
    ) -> None:
        self._app = app
        self._protection = protection
        self._ledger = ledger
        self._vault = vault
        self._keys = keys
        self._account_digest = account_digest
        self._ask_for_proof = ask_for_proof
        self._renderer = renderer
        self._events = events
        self._refusals = refusals
        self._patience = patience
        self._body_bytes_max = body_bytes_max
        self._jitter = jitter
        self._clock_s = clock_s
        self._tell = tell

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
        refusal: Refusal | None = None
        taken: TakenAmount | Stale | None = None
        # A capped route is found with a body, as it has one: its absence is refused below.
        found = self._protection.capped(scope, has_body=True)
        route = found[0].route
        try:
            amount = await self._amount(found, scope, reader)
            taken = await self._taken(scope, route, amount)
        except Unreadable as error:
            self._refusals.answered(route.name, "unreadable_attempt", "amount", enforced=True)
            refusal = unreadable_attempt(error.status)
        except StoreUnavailable:
            self._refusals.answered(route.name, "unavailable", "its amount cannot be counted", enforced=True)
            refusal = unavailable(retry_after_s(BUSY_US, self._jitter()))
        except HungUp:
            return None
        if isinstance(taken, Stale):
            return await self._ask_for_proof(scope, send, taken)
        if taken is None:
            answer = self._renderer.render(refusal or cap_reached(), scope["headers"])
            return await send_answer(send, answer)
        return await self._watched(taken, as_sent, reader, send)

    async def _amount(self, found: Sequence[Capped], scope: Scope, reader: BodyReader) -> int:
        if len(found) > 1:
            # Routers disagree about the route: one of the sums would be the wrong one.
            raise Unreadable(400, "two_amounts")
        raw = await reader.read(bytes_max=self._body_bytes_max, patience=self._patience)
        body = decoded(scope["headers"], raw, self._body_bytes_max)
        return read_amount(found[0].door, scope, body, raw=raw)

    async def _taken(self, scope: Scope, route: CappedRoute, amount: int) -> TakenAmount | Stale | None:
        """The amount, counted; what to ask for; or None where it exceeds a cap."""
        binding = await self._protection.binding(scope, int(self._clock_s()))
        if binding is None:
            raise StoreUnavailable  # its proof was fresh a moment ago
        key = self._keys.of(b"caps", route.name, self._account_digest(binding.account))
        verdict = await self._ledger.take(key, amount, route.caps)
        if verdict.admitted:
            return TakenAmount(key, amount, verdict.at_us, route.caps)
        asks = route.over is OverCap.STEP_UP
        if asks and await self._is_proved(key, amount, binding.proved_s):
            return TakenAmount(key, 0, verdict.at_us, route.caps)
        self._events.cap_reached(route.name, route.over.value, binding.account)
        self._tell(scope, binding.account)
        self._refusals.answered(route.name, "cap_reached", route.over.value, enforced=True)
        protected = self._protection.route(scope, has_body=True)
        return Stale(protected, binding.account) if asks and protected is not None else None

    async def _is_proved(self, key: bytes, amount: int, proved_s: int) -> bool:
        """Whether a proof was shown since it was asked for, for this amount or more. Each serves one request.

        Otherwise the proof that opened the route would open it for any sum. Proofs are dated in whole seconds: the one
        that was shown before the question does not answer it, and one that has served does not serve again in another
        session of the account.
        """
        place = b"over" + key
        asked = await self._vault.take(place)
        if asked is not None:
            asked_s, asked_for = map(int, asked.split())
            if proved_s >= asked_s and amount <= asked_for and await self._serves(key, proved_s):
                return True
        asked_s = max(int(self._clock_s()), proved_s + 1)
        await self._vault.put(place, b"%d %d" % (asked_s, amount), seconds=TICKET_S)
        return False

    async def _serves(self, key: bytes, proved_s: int) -> bool:
        """Whether no request has passed by a proof of this second yet. Later than that, no question is that old."""
        return await self._vault.once(self._keys.of(b"served", key, b"%d" % proved_s), seconds=TICKET_S)

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
