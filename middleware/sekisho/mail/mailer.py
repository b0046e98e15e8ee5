"""Send messages: queue each in one step, send a few at a time, drop late ones.

`send` does the same for every message and recipient, and returns at once. It is called only after a right password, so
any further work would reveal that by the response time. The slow work (composing, encrypting) is done at a random
moment of the following half second.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import secrets
from enum import Enum
from random import SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sekisho.mail.address import Unsendable, address
from sekisho.mail.compose import compose
from sekisho.mail.messages import NAME_MAX, visible
from sekisho.mail.relay import SETTING, Envelope, RelayFault, deliver, relay, tls_context
from sekisho.model import SettingsError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from sekisho.mail.address import Address
    from sekisho.mail.messages import Letter
    from sekisho.mail.relay import Relay

log = logging.getLogger("sekisho.mail")


class SendResult(Enum):
    """The result of a message. Every message has exactly one."""

    SENT = "sent"
    """The relay accepted it."""
    REFUSED = "refused"
    """The message or its address was permanently refused."""
    EXPIRED = "expired"
    """Its time or its tries were used up."""
    DROPPED = "dropped"
    """The queue was full, or the mailer closed."""


class Bounds(NamedTuple):
    """Every bound, with its reason.

    Attributes:
        at_once: concurrent messages. With only one, a hanging connection delayed all codes; relays accept several
            connections per client.
        queue_max: waiting messages. A relay accepts some twenty a second; this is about a minute's worth.
        message_s: from `send` to giving up. Users do not wait longer before they request another code.
        try_s: for one try. Some relays delay their greeting by some seconds, to detect impatient clients.
        backoff_s: before the second try, before the third; there are no more. Up to half as much is added at random.
        linger_s: the first try starts at a random moment within this time. Users do not notice it.
        close_s: the maximum wait of `aclose` for the queue.
    """

    at_once: int = 4
    queue_max: int = 1_000
    message_s: float = 60
    try_s: float = 15
    backoff_s: tuple[float, ...] = (1, 5)
    linger_s: float = 0.5
    close_s: float = 5


class Deliver(Protocol):
    """Hands one message over; see `sekisho.mail.relay.deliver`."""

    def __call__(
        self, place: Relay, tls: ssl.SSLContext, envelope: Envelope, /, *, limit_s: float
    ) -> Coroutine[Any, Any, None]: ...


class Means(NamedTuple):
    """Time, randomness and the way to the relay; tests and simulations replace them.

    Attributes:
        clock_s: monotonic, in seconds.
        now: the date of messages, in UTC.
        sleep: waits for a number of seconds.
        chance: a random number from 0 up to 1.
        deliver: hands a message over.
    """

    clock_s: Callable[[], float]
    now: Callable[[], datetime]
    sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep
    chance: Callable[[], float] = SystemRandom().random
    deliver: Deliver = deliver


class _Item:
    """A waiting message. It has no repr of its own, because it holds a code and an address."""

    __slots__ = ("due", "envelope", "expires", "letter", "number", "to", "tries")

    def __init__(self, number: int, to: str, letter: Letter, due: float, expires: float) -> None:
        self.number = number
        self.to = to
        self.letter = letter
        self.due = due
        self.expires = expires
        self.tries = 0
        self.envelope: Envelope | None = None  # composed once: repeats share the Message-ID

    def __lt__(self, other: _Item) -> bool:
        return (self.due, self.number) < (other.due, other.number)


class Mailer:
    """Queue and send messages; see the module. Belongs to the event loop that created it; each loop needs its own.

    Args:
        url: of the relay; see `relay`.
        password: of its user.
        sender: the From address.
        sender_name: the display name of the sender.
        ca_file: PEM file of the only trusted authorities, in place of the system's.
        bounds: see `Bounds`.
        on_result: called with each message's kind and result, for metrics.
        means: time and randomness.

    Raises:
        SettingsError: the relay, the sender or the authorities are invalid. Contains none of them.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        sender: str,
        sender_name: str = "",
        ca_file: str | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        on_result: Callable[[str, SendResult], None] = lambda _kind, _result: None,
        means: Means,
    ) -> None:
        self._relay = relay(url, password)
        self._sender, self._sender_name = _sender(sender, sender_name)
        self._tls = tls_context(ca_file)
        self._bounds = bounds
        self._on_result = on_result
        self._means = means
        self._queue: list[_Item] = []  # a heap: the next due first
        self._number = 0
        self._places = asyncio.Semaphore(bounds.at_once)
        self._in_hand: dict[asyncio.Task[None], _Item] = {}
        self._puts_off = False  # logged, and no message was accepted since
        self._closing = False
        self._news = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="sekisho mail")

    def send(self, to: str, letter: Letter) -> None:
        """Queue a message, or drop it if the queue is full. It does not wait, check the address, or raise."""
        now = self._means.clock_s()
        due = now + self._bounds.linger_s * self._means.chance()
        self._number += 1
        item = _Item(self._number, to, letter, due, now + self._bounds.message_s)
        if self._closing or len(self._queue) >= self._bounds.queue_max:
            self._tell(item, SendResult.DROPPED, "no room")
        else:
            heapq.heappush(self._queue, item)
            self._news.set()

    async def post(self, to: str, letter: Letter, *, token: str) -> None:
        """Send a message now, in one try, for callers with a queue of their own. Returns when the relay has taken it.

        Args:
            to: the recipient.
            letter: the content.
            token: makes the Message-ID; the same for all tries.

        Raises:
            RelayFault: the relay did not take it.
            Unsendable: the address is none.
        """
        envelope = self._composed(to, letter, token)
        await self._means.deliver(self._relay, self._tls, envelope, limit_s=self._bounds.try_s)

    async def aclose(self) -> None:
        """Try each waiting message once more, for a bounded time, and drop the rest."""
        self._closing = True
        self._news.set()
        await asyncio.wait((self._task,), timeout=self._bounds.close_s)
        left = [*self._in_hand.values(), *self._queue]
        tasks = [self._task, *self._in_hand]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queue.clear()
        for item in left:
            self._tell(item, SendResult.DROPPED, "no time")

    async def _run(self) -> None:
        while item := await self._next():
            task = asyncio.create_task(self._try(item), name="sekisho mail")
            self._in_hand[task] = item
            task.add_done_callback(self._tried)
        # The mailer is closing: a failed message is not queued again.
        await asyncio.gather(*self._in_hand)

    def _tried(self, task: asyncio.Task[None]) -> None:
        del self._in_hand[task]
        self._places.release()

    async def _next(self) -> _Item | None:
        """Wait for the next due message and a free place. None: the mailer is closing and the queue is empty."""
        await self._places.acquire()
        while not (self._queue and (self._closing or self._queue[0].due <= self._means.clock_s())):
            if self._closing:
                return None
            self._news.clear()
            await self._pause(self._queue[0].due - self._means.clock_s() if self._queue else None)
        return heapq.heappop(self._queue)

    async def _pause(self, seconds: float | None) -> None:
        """Wait for `seconds` (None: without limit), or until the queue changes."""
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(self._news.wait())}
        if seconds is not None:
            waits.add(asyncio.create_task(self._means.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _try(self, item: _Item) -> None:
        left_s = item.expires - self._means.clock_s()
        if left_s <= 0:
            return self._tell(item, SendResult.EXPIRED, "late")
        item.tries += 1
        try:
            item.envelope = item.envelope or self._composed(item.to, item.letter, secrets.token_hex(16))
            await self._means.deliver(self._relay, self._tls, item.envelope, limit_s=min(left_s, self._bounds.try_s))
        except RelayFault as fault:
            self._failed(item, fault)
        except Unsendable:
            self._tell(item, SendResult.REFUSED, "address")
        except Exception as error:  # noqa: BLE001 - a task that ended here would be mail lost for good
            self._tell(item, SendResult.REFUSED, type(error).__name__)
        else:
            self._puts_off = False
            self._tell(item, SendResult.SENT)

    def _composed(self, recipient: str, letter: Letter, token: str) -> Envelope:
        to = address(recipient)
        message = compose(
            letter,
            sender=self._sender,
            sender_name=self._sender_name,
            to=to,
            now=self._means.now(),
            token=token,
        )
        return Envelope(self._sender, to, message)

    def _failed(self, item: _Item, fault: RelayFault) -> None:
        if not fault.passing:
            return self._tell(item, SendResult.REFUSED, fault.reason)
        if self._closing or item.tries > len(self._bounds.backoff_s):
            return self._tell(item, SendResult.EXPIRED, fault.reason)
        if not self._puts_off:
            self._puts_off = True
            log.warning("the mail relay defers messages, which are tried again: %s", fault.reason)
        # Requeued, so that others are tried meanwhile: one mailbox that answers "later" must not delay all codes.
        item.due = self._means.clock_s() + self._bounds.backoff_s[item.tries - 1] * (1 + self._means.chance() / 2)
        heapq.heappush(self._queue, item)
        self._news.set()
        return None

    def _tell(self, item: _Item, result: SendResult, reason: str = "") -> None:
        if result is not SendResult.SENT:
            log.warning("a message of kind %s was not sent: %s, %s", item.letter.kind, result.value, reason)
        try:
            self._on_result(item.letter.kind, result)
        except Exception as error:  # noqa: BLE001 - a metric that fails must not cost an owner his code
            log.error("counting mail failed: %s", type(error).__name__)  # noqa: TRY400 - it is not ours to print


def _sender(text: str, name: str) -> tuple[Address, str]:
    try:
        found = address(text)
    except Unsendable as error:
        raise SettingsError(SETTING, f"needs an address to send from: {error}") from None
    if len(name) > NAME_MAX or not visible(name):
        raise SettingsError(SETTING, f"has a sender's name of more than one line or {NAME_MAX} letters")
    return found, name
