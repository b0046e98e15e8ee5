"""One connection to Redis, and the callers that wait for its answers.

All operations of one turn of the event loop leave in one call. Callers hold futures and never the connection, so a
cancelled caller cannot take another's answer (CVE-2023-28859). An operation that was written and not answered is never
sent again: it may have been counted, and a charge that counts twice locks an owner out.

The breaker has no settings: it opens when an answer is later than the deadline, and closes when an answer comes. A new
connection counts as working after a successful write: a full, read-only or misconfigured Redis still answers PING.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import InvalidResponse, NoScriptError, RedisError, ResponseError

from sekisho.model import StoreRefuses, StoreUnavailable
from sekisho.store.batch import BatchCall, Operation, pack_call, refuse, share_out, taken_from
from sekisho.store.health import Health
from sekisho.store.intake import Intake
from sekisho.store.protocol import RespProtocol
from sekisho.store.refusals import (
    EVICTS,
    LATE,
    UNWEIGHED,
    evicting_policy,
    explained,
    over_budget,
    problem_of,
    refusal_of,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from sekisho.store.options import LineOptions

log = logging.getLogger("sekisho.store")

BATCH_MAX = 128  # operations in a call; a longer call only delays the next one
IN_FLIGHT_MAX = 8  # calls written and not answered; more would only queue inside Redis
KEPT_MAX = 10_000  # settlements kept while the store is gone; beyond it the oldest charges stay
STALL_US = 1_000_000  # a connection silent for this long with calls in flight is dead
BACKOFF_US = (50_000, 100_000, 200_000, 500_000, 1_000_000)  # between tries to connect; the last one repeats
CONNECT_US = 1_000_000
WEIGHED_S = 1.0  # between looks at the server's memory; a flood adds some megabytes in that time
_PROBE = "return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])"
PROBE_MS = 60_000  # lifetime of the key that a new connection writes as a test
BUSY_US = 10_000  # a longer turn of the loop delays answers, and says nothing about the store
BUSY_MAX_US = 300_000  # of a turn; if the application blocks the loop for longer, no store answers in time
TURNS_PER_ANSWER = 3  # an operation is asked in one turn, written in the next, read in the third


class StoreConnection:
    """See the module. Belongs to the event loop it was started in.

    The lines behind Sentinels and to a Cluster's nodes override `_reach` (how to connect), `_duties` (background work),
    `_calls_of` (which operations share a call) and `_refused` (how to handle an error).

    Args:
        url: as redis-py takes it: `redis://`, `rediss://` or `unix://`.
        options: see `LineOptions`.
    """

    _batch_max = BATCH_MAX

    def __init__(self, url: str, options: LineOptions) -> None:
        self._connection = connection_to(url)
        self._probes = tuple(options.probes)
        self._script = options.script
        self._how = options.script.by_digest  # the first words of calls
        self._deadline = options.deadline_us / 1e6
        self._bytes_max = options.bytes_max
        self._on_change = options.on_change
        self._in_flight: deque[BatchCall] = deque()
        self._answered = asyncio.Event()  # `aclose` waits for it
        self._loop = asyncio.get_running_loop()
        self._intake = Intake(self._loop, self._deadline, flush=self._flush, expire=self._expire, kept_max=KEPT_MAX)
        self.ask = self._intake.ask
        self.tell = self._intake.tell
        self._health = options.health or Health(self._loop.call_later)
        self._wire: RespProtocol | None = None
        self._turn_s = 0.0  # length of the last measured turn of the loop
        self._heard = self._loop.time()
        self._tries = 0  # to connect, since the last answer
        self._refusal = ""  # of the last connection, explained
        self._task = self._loop.create_task(self._run(), name="sekisho store")

    @property
    def answers(self) -> bool:
        """Whether the store can be asked now: False while the connection is lost."""
        return self._intake.is_open is not False

    @property
    def servers(self) -> tuple[StoreConnection, ...]:
        """The lines to all servers that hold the data: this one."""
        return (self,)

    async def execute(self, *command: bytes) -> Any:
        """Run one command, which is not joined to any script's operations, and return the answer.

        Raises `StoreUnavailable`, or redis-py's `ResponseError` where the server refuses the command. Where it refused
        the last connection, that is `StoreRefuses`.
        """
        if not self.answers:
            raise StoreRefuses(self._refusal) if self._refusal else StoreUnavailable
        call = BatchCall(command, self._loop.time() + self._deadline)
        call.result = self._loop.create_future()
        self._intake.add_call(call)
        return await call.result

    async def aclose(self) -> None:
        """Write the queue, for at most one deadline, and close the connection."""
        if self._intake.is_open:
            with contextlib.suppress(TimeoutError):
                await self._drain()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._hang_up()  # a task that never began has not done so itself
        if self._intake.timer is not None:
            self._intake.timer.cancel()

    async def _drain(self) -> None:
        """Wait until every operation has its answer. Raises `TimeoutError` after one deadline."""
        async with asyncio.timeout(self._deadline):
            while self._intake.queue or self._intake.calls or self._in_flight:
                self._answered.clear()
                await self._answered.wait()

    def _expire(self, due: float, *, forgiven: bool = False) -> None:
        intake, now, late = self._intake, self._loop.time(), False
        # An application that hashes on the loop, or hundreds of requests in one turn, make every answer late. The store
        # gets that time added to the deadline, once.
        turn_s = max(now - due, self._turn_s)
        if turn_s > BUSY_US / 1e6 and not forgiven:
            self._health.busy(turn_s)
            grace = TURNS_PER_ANSWER * min(turn_s, BUSY_MAX_US / 1e6)
            intake.timer = self._loop.call_at(now + grace, partial(self._expire, due, forgiven=True))
            intake.due_s = now + grace
            return
        for call in (*self._in_flight, *intake.calls):
            if call.deadline <= now:
                call.fail()
                late = True
        for operation in intake.queue:
            if operation.deadline <= now and operation.answer and not operation.answer.done():
                refuse(operation.answer)
                late = True
        # Unwritten operations are dropped: written later, they would charge for attempts that were judged without them.
        told = [op for call in intake.calls if call.deadline <= now for op in call.told]
        intake.queue = deque([*told, *(op for op in intake.queue if op.deadline > now)])
        intake.calls = deque(call for call in intake.calls if call.deadline > now)
        if late:
            self._health.problem(LATE)
            self._turn(answers=False)
        waiting = [call.deadline for call in (*self._in_flight, *intake.calls) if now < call.deadline < math.inf]
        waiting += [operation.deadline for operation in intake.queue if operation.answer][:1]
        intake.timer = None
        if waiting:
            intake.due_at(min(waiting))

    def _turn(self, *, answers: bool) -> None:
        if self._intake.is_open is not answers:
            self._intake.is_open = answers
            self._on_change(answers)

    # The connection's life.

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._connect()
                    await self._serve()
                except (RedisError, OSError) as error:
                    self._refusal = explained(error) if refusal_of(error) else ""
                    self._health.problem(problem_of(error))
                except Exception as error:  # noqa: BLE001 - a line that ended here would be a store lost for good
                    log.error("store connection given up: %s", type(error).__name__)  # noqa: TRY400 - it may hold keys
                self._lost()
                await self._connection.disconnect(nowait=True)
                await asyncio.sleep(BACKOFF_US[min(self._tries, len(BACKOFF_US) - 1)] / 1e6)
                self._tries += 1
        finally:
            self._hang_up()
            await self._connection.disconnect(nowait=True)

    def _hang_up(self) -> None:
        self._on_change = lambda _: None  # it is no loss
        self._lost()

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_US / 1e6):
            await self._reach()
            await self._probe()
            await self._look_for_eviction()
        self._refusal = ""
        self._turn(answers=True)

    async def _reach(self) -> None:
        """Connect, and get one answer. Raises `RedisError` or `OSError`."""
        await converse(self._connection, "PING")

    async def _probe(self) -> None:
        """Write a short-lived key by a script, as operations do. Raises `RedisError` where the server refuses that.

        Without it a user who may not run scripts is refused at each operation, and seems to work in between.
        """
        if self._probes:
            await converse(self._connection, "EVAL", _PROBE, 1, self._probes[0], PROBE_MS)

    async def _look_for_eviction(self) -> None:
        if self._probes:
            with contextlib.suppress(ResponseError):  # a user without the right to ask
                self._warn_of_eviction(await converse(self._connection, "INFO", "memory"))

    def _warn_of_eviction(self, memory: Any) -> None:
        """Warn if the server evicts when it is full: an attacker could push out counters and marks of used codes."""
        if policy := evicting_policy(memory):
            self._health.setting(EVICTS.format(policy))

    def _duties(self) -> list[Coroutine[Any, Any, None]]:
        """Background work while connected. When one of the tasks ends, the connection ends."""
        return [self._watch(), self._weigh()]

    async def _serve(self) -> None:
        self._wire = RespProtocol(self._connection, self._replied, self._intake.stir)
        self._intake.is_connected = True
        self._load()
        self._intake.stir()
        tasks = [self._loop.create_task(duty) for duty in (self._wire.ended(), *self._duties())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _load(self) -> None:
        """Load the script as a library, if it can be one; call the library if the server accepts it."""
        self._how = self._script.by_digest
        if self._script.library is not None:
            call = BatchCall((b"FUNCTION", b"LOAD", self._script.library), math.inf)
            call.result = self._loop.create_future()
            call.result.add_done_callback(self._loaded)
            self._intake.calls.append(call)

    def _loaded(self, answer: asyncio.Future[Any]) -> None:
        # Redis before 7, a user without the right, or a proxy without functions: the script works as well.
        error = answer.exception()
        if error is None or "already exists" in str(error):  # by another worker
            self._how = self._script.by_name

    def _lost(self) -> None:
        intake, self._wire = self._intake, None
        intake.is_connected = False
        self._script.weigh(self, over_budget=False)
        self._turn(answers=False)
        for call in (*self._in_flight, *intake.calls):
            call.fail()
        for operation in intake.queue:
            refuse(operation.answer)
        told = [op for call in intake.calls for op in call.told] + [op for op in intake.queue if op.answer is None]
        intake.queue = deque(told[-KEPT_MAX:])
        self._in_flight.clear()
        intake.calls.clear()

    def _flush(self) -> None:
        intake = self._intake
        intake.is_stirred = False
        self._turn_s = self._loop.time() - intake.stirred_at_s
        while (intake.calls or intake.queue) and len(self._in_flight) < IN_FLIGHT_MAX:
            if self._wire is None or self._wire.is_over:
                return
            if calls := self._next():
                self._send(self._wire, calls)

    def _send(self, wire: RespProtocol, calls: Sequence[BatchCall]) -> None:
        if not self._in_flight:
            self._heard = self._loop.time()
        self._in_flight.extend(calls)
        wire.write(calls)

    def _next(self) -> Sequence[BatchCall]:
        if self._intake.calls:
            return (self._intake.calls.popleft(),)
        operations = taken_from(self._intake.queue, self._batch_max)
        return self._calls_of(operations) if operations else ()

    def _calls_of(self, operations: list[Operation]) -> Sequence[BatchCall]:
        return (self._call(operations),)

    def _call(self, operations: list[Operation], *, whole: bool = False) -> BatchCall:
        """The call that runs all of these operations. `whole`: it carries the script's source."""
        how = self._script.in_full if whole else self._how
        packed = pack_call(self._script, operations, how)
        call = BatchCall(how, min([op.deadline for op in operations]), packed)
        call.operations = operations
        return call

    def _replied(self, reply: Any) -> None:
        """Handle one reply. An exception raised here ends the connection."""
        if not self._in_flight:
            raise InvalidResponse("the store answers what nobody asked")
        self._heard = self._loop.time()
        # The call stays in the list until it is answered: after any failure its callers are told.
        self._answer(self._in_flight[0], reply)
        self._in_flight.popleft()
        self._answered.set()
        self._turn(answers=True)

    def _answer(self, call: BatchCall, reply: Any) -> None:
        if isinstance(reply, ResponseError):
            self._refused(call, reply)
        elif isinstance(reply, Exception):
            raise reply
        elif call.result is not None:
            if not call.result.done():
                call.result.set_result(reply)
        else:
            self._tries = 0
            share_out(call.operations, reply, self._script.reply_bytes)

    def _refused(self, call: BatchCall, error: Exception) -> None:
        if call.result is not None:
            if not call.result.done():
                call.result.set_exception(error)
        elif self._is_unknown(call, error):
            # This error proves that nothing ran, as few others do: so the call may be sent again.
            call.command = self._script.in_full
            call.packed = pack_call(self._script, call.operations, call.command)
            self._intake.calls.append(call)
        else:
            # Out of memory, read-only, loading: a new connection tests whether that is over.
            raise error

    def _is_unknown(self, call: BatchCall, error: Exception) -> bool:
        """Whether the server lacks the script or the library; calls then use another way from now on."""
        if call.command[0] != self._script.by_name[0]:
            return isinstance(error, NoScriptError)
        if str(error) == "Function not found":  # flushed, or lost in a failover
            if self._how is self._script.by_name:  # the first such reply
                self._load()
            return True
        # The library may be loaded but not callable: the ACL forbids it, or `FCALL` is renamed or unknown to a proxy.
        # An error inside the script names the script, not the command.
        if "fcall" in str(error).lower() and "script:" not in str(error):
            self._how = self._script.by_digest
            return True
        return False

    async def _watch(self) -> None:
        """End a connection that went silent: a black hole gives no error."""
        while True:
            await asyncio.sleep(STALL_US / 4e6)
            if self._in_flight and self._loop.time() - self._heard > STALL_US / 1e6:
                raise TimeoutError

    async def _weigh(self) -> None:
        """Tell the script whether the server holds more than it may."""
        while True:
            await asyncio.sleep(WEIGHED_S)
            with contextlib.suppress(StoreUnavailable):  # the last known state holds
                self._weighed(await self._memory())

    async def _memory(self) -> Any:
        try:
            return await self.execute(b"INFO", b"memory")
        except ResponseError:  # a user without the right to ask
            return None

    def _weighed(self, memory: Any) -> None:
        over = over_budget(memory, self._bytes_max)
        if over is None and self._bytes_max is not None:
            self._health.setting(UNWEIGHED)
        self._script.weigh(self, over_budget=bool(over))
        self._warn_of_eviction(memory)


async def converse(connection: AbstractConnection, *command: str | bytes | int) -> Any:
    """Open a connection, run one command on it, and return the answer. Sets no limit of time: the caller must.

    Raises redis-py's errors.
    """
    await connection.connect()  # type: ignore[no-untyped-call] # redis-py leaves it bare
    await connection.send_command(*command, check_health=False)
    return await connection.read_response(timeout=math.inf)


def connection_to(url: str) -> AbstractConnection:
    """Return a redis-py connection to the server of a URL. It is not open yet, and does not retry."""
    arguments: dict[str, Any] = dict(parse_url(url.replace("redis+unix://", "unix://", 1)))
    kind: type[AbstractConnection] = arguments.pop("connection_class", Connection)
    # A retry could count a charge twice, and the default socket timeout (59 s) is too long for a log-in.
    return kind(
        **{
            "socket_timeout": None,
            "socket_connect_timeout": CONNECT_US / 1e6,
            "protocol": 2,
            "driver_info": None,
            **arguments,
        }
    )
