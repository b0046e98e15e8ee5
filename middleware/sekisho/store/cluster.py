"""A Redis Cluster: a line to each primary, and a map from hash slots to primaries.

An operation goes to the node of its first key; all keys of one operation share a slot. The operations of one turn leave
in one write for each node, those of one slot in one call. A node that redirects an operation has not run it, so the
operation is sent on. An operation that was written and not answered is never sent again.

A node that is gone takes only its own slots with it: their callers are refused at once. The map is fetched anew when a
node is lost or contradicts it, and from time to time. So a promoted replica is found without a restart, and gets the
settlements that were kept meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError

from sekisho.model import StoreUnavailable
from sekisho.settings.store import Several
from sekisho.store.batch import BatchCall, Operation, PackedKeys, refuse
from sekisho.store.connection import BATCH_MAX, CONNECT_US, KEPT_MAX, StoreConnection, connection_to, converse
from sekisho.store.health import Health
from sekisho.store.refusals import problem_of, refusal_of
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.store.options import LineOptions
    from sekisho.store.protocol import RespProtocol

log = logging.getLogger("sekisho.store")

SLOTS = REDIS_CLUSTER_HASH_SLOTS
MAP_US = 30_000_000  # between two fetches of the map
MAP_AMISS_US = 200_000  # the same while a node is gone
SOON_US = 20_000  # after a node has contradicted the map: other nodes are about to
AGAIN_US = 5_000  # before an operation that found its slot half moved is sent again
TOLD_US = 1_000_000  # how long a settlement follows a moving slot, before it waits for the next map
WRITE_MAX = 1_024  # operations in one write, in many calls
NODES_ASKED_MAX = 4  # for the map, in one fetch; the next fetch asks the others

Place = tuple[str, int]
"""A node's host and port."""


class Range(NamedTuple):
    """Slots `first` to `last`, both included, and their primary."""

    first: int
    last: int
    place: Place


class ClusterLine:
    """The same as `StoreConnection`, for a Cluster. Belongs to the event loop it was started in.

    Args:
        url: `redis+cluster://host:port,host:port`, of some nodes; they name the others.
        options: `on_change` is told `True` when every slot has a node that answers, and `False` when one has none;
            `probes` are spread over the slots.
    """

    def __init__(self, url: str, options: LineOptions) -> None:
        self._probes = {key_slot(key): key for key in options.probes}
        self._several = Several.of(url)
        self._on_change = options.on_change
        self._loop = asyncio.get_running_loop()
        self._health = options.health or Health(self._loop.call_later)
        self._options = options._replace(health=self._health, probes=())
        self._nodes: dict[Place, NodeLine] = {}
        self._owners: list[NodeLine | None] = [None] * SLOTS
        # Callers wait until the map has been fetched once.
        self._early: list[Operation] | None = []
        self._kept: deque[Operation] = deque()  # settlements whose node is gone
        self._whole: bool | None = None
        self._amiss = asyncio.Event()
        self._mapped = asyncio.Event()
        self._asked: deque[Place] = deque(self._several.hosts)  # for the map; who answered last is first
        self._leaving = TaskSet()
        self._task = self._loop.create_task(self._run(), name="sekisho store map")

    @property
    def answers(self) -> bool:
        """Whether at least one slot of the Cluster can be asked now. True also while the line is starting."""
        return self._early is not None or any(node.answers for node in self._nodes.values())

    def ask(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        """Queue an operation of the script at its slot's node, and return its future answer.

        The future raises `StoreUnavailable` at the deadline, or at once where the slot's node is gone.
        """
        node = self._owners[key_slot(keys.first)]
        if node is not None:
            return node.ask(keys, argument)
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if self._early is None:
            answer.set_exception(StoreUnavailable())
            return answer
        operation = Operation(keys, argument, answer, self._loop.time() + self._options.deadline_us / 1e6)
        self._early.append(operation)
        self._loop.call_at(operation.deadline, refuse, answer)
        return answer

    def tell(self, keys: PackedKeys, argument: bytes) -> None:
        """Queue an operation without an answer at its slot's node. While the node is gone, a bounded number is kept."""
        node = self._owners[key_slot(keys.first)]
        if node is not None and node.answers:
            node.tell(keys, argument)
        else:
            self._keep([Operation(keys, argument, None, math.inf)])

    @property
    def servers(self) -> tuple[StoreConnection, ...]:
        """The lines to all nodes that hold the data; none before the Cluster's map is known."""
        return tuple(self._nodes.values())

    async def execute(self, *command: bytes) -> Any:
        """Run one command at the node of its first key, and return the answer. No script's operations are joined to it.

        Raises `StoreUnavailable`, or redis-py's `ResponseError` where the server refuses the command.
        """
        if self._early is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._options.deadline_us / 1e6):
                    await self._mapped.wait()
        node = self._owners[key_slot(first_key(command))]
        if node is None:
            raise StoreUnavailable
        return await node.execute(*command)

    async def aclose(self) -> None:
        """Write the queue, for at most one deadline, and close the connections."""
        self._on_change = lambda _: None  # it is no loss
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._mapped.set()
        await asyncio.gather(*(node.aclose() for node in self._nodes.values()), self._leaving.ended())
        self._owners = [None] * SLOTS
        for operation in self._early or ():
            refuse(operation.answer)
        self._early = None

    def probes_of(self, node: NodeLine) -> list[bytes]:
        """Return keys in slots that a node has, as far as this line's map of slots knows."""
        return [key for slot, key in self._probes.items() if self._owners[slot] is node]

    # A node that does not have a slot redirects. It has run nothing, so the operation may be sent elsewhere.

    def redirect(self, call: BatchCall, error: Exception, node: NodeLine) -> bool:
        """Send a call to another node, or again later, after `node` refused it because of its slot.

        Returns False, and sends nothing, where the error has another cause.
        """
        match error:
            case MovedError():
                owner = self._owners[error.slot_id] = self._node((error.host or node.place[0], error.port))
                self._amiss.set()
                self._send_on(call, owner)
            case AskError():  # for these keys alone; the slot is still moving
                self._send_on(call, self._node((error.host or node.place[0], error.port)), asking=True)
            case TryAgainError():  # some of its keys are here, and some there
                self._loop.call_later(AGAIN_US / 1e6, self._send_again, call)
            case ClusterDownError() if "slot" in str(error):  # no node has the slot now
                self._amiss.set()
                self._loop.call_later(AGAIN_US / 1e6, self._send_again, call)
            case _:
                return False
        return True

    def _send_again(self, call: BatchCall) -> None:
        node = self._owners[slot_of(call)]
        if node is None:
            call.fail()
            self._keep(call.told)
        else:
            self._send_on(call, node)

    def _send_on(self, call: BatchCall, node: NodeLine, *, asking: bool = False) -> None:
        now = self._loop.time()
        if not node.answers or call.deadline - now < 2 * AGAIN_US / 1e6:  # too late to send it on
            call.fail()
            self._keep(call.told)
        elif call.result is not None:
            node.send_on([again(call, asking=asking)])
        else:
            # Each operation alone from now on: some keys of the shared call may have moved and some not.
            waiting = [operation.by(now + TOLD_US / 1e6) for operation in call.operations if not operation.is_over]
            node.send_on([node.call_of(operation, asking=asking) for operation in waiting])

    def _keep(self, told: Iterable[Operation]) -> None:
        self._kept.extend(told)
        while len(self._kept) > KEPT_MAX:  # the oldest charges stand
            self._kept.popleft()

    # The map.

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - without a map that follows, a store would be lost for good
                log.error("the Cluster's map could not be read: %s", type(error).__name__)  # noqa: TRY400 - may hold keys
            self._mapped.set()
            self._open_early()
            self._tell_change()
            if not self._whole:
                self._asked.rotate(-1)  # try another node first
            # Not `wait_for`: before Python 3.12 it loses a cancellation that arrives together with the result.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((MAP_US if self._whole else MAP_AMISS_US) / 1e6):
                    await self._amiss.wait()
            await asyncio.sleep(SOON_US / 1e6)
            self._amiss.clear()

    async def _look(self) -> None:
        """Ask nodes for the map, one after the other, and use the first valid one. Without any, say why."""
        faults: list[RedisError | OSError] = []
        for place in tuple(self._asked)[:NODES_ASKED_MAX]:
            try:
                ranges = await self._ask_for_map(place)
            except StoreUnavailable:  # that node's own line says why
                ranges = []
            except (RedisError, OSError) as fault:
                faults.append(fault)
                ranges = []
            if ranges:
                self._use(ranges)
                return
            self._asked.rotate(-1)
        if faults:
            self._health.problem(problem_of(next(filter(refusal_of, faults), faults[-1])))

    async def _ask_for_map(self, place: Place) -> list[Range]:
        """Return the map as a node knows it. Raises `StoreUnavailable`, `RedisError`, `OSError`."""
        node = self._nodes.get(place)
        if node is not None and node.is_open:
            return read_map(await node.execute(b"CLUSTER", b"SLOTS"), place[0])
        connection = connection_to(self._several.server_url(*place))
        try:
            async with asyncio.timeout(CONNECT_US / 1e6 / NODES_ASKED_MAX):
                return read_map(await converse(connection, "CLUSTER", "SLOTS"), place[0])
        finally:
            await connection.disconnect(nowait=True)

    def _use(self, ranges: list[Range]) -> None:
        places = {each.place for each in ranges}
        # A slot that is just moving may be missing: its former node knows where it went.
        owners = [node if node is not None and node.place in places else None for node in self._owners]
        for first, last, place in ranges:
            owners[first : last + 1] = [self._node(place)] * (last + 1 - first)
        self._owners = owners
        for place in self._nodes.keys() - places:
            self._leave(place)
        known = [place for place in self._asked if place in self._nodes or place in self._several.hosts]
        self._asked = deque([*known, *(self._nodes.keys() - set(known))])
        self._send_kept()

    def _node(self, place: Place) -> NodeLine:
        if place not in self._nodes:
            self._nodes[place] = NodeLine(self, place, self._several.server_url(*place), self._options)
        return self._nodes[place]

    def _leave(self, place: Place) -> None:
        """Drop a node without slots; its unsent settlements go to the nodes that have its slots now."""
        node = self._nodes.pop(place)
        self._keep(node.take_told())
        self._leaving.start(node.aclose())

    # Losing and finding nodes.

    def node_changed(self, node: NodeLine, *, answers: bool) -> None:
        """Record that a node began or ceased to answer."""
        if answers:
            self._send_kept()
        else:
            self._keep(node.take_told())
            self._amiss.set()
        self._tell_change()

    def _tell_change(self) -> None:
        owners = set(self._owners)
        whole = all(node is not None and node.answers for node in owners)
        if whole and not all(node is not None and node.is_open for node in owners):
            return  # some are still being tried for the first time
        if whole is not self._whole:
            self._whole = whole
            self._on_change(whole)

    def _open_early(self) -> None:
        early, self._early = self._early, None
        for operation in early or ():
            node = self._owners[key_slot(operation.keys.first)]
            if node is None:
                refuse(operation.answer)
            elif not operation.is_over:
                node.send_on([node.call_of(operation)])

    def _send_kept(self) -> None:
        kept, self._kept = self._kept, deque()
        for operation in kept:
            self.tell(operation.keys, operation.argument)


class NodeLine(StoreConnection):
    """The line to one primary. Its redirections are handled by `ClusterLine`."""

    _batch_max = WRITE_MAX

    def __init__(self, cluster: ClusterLine, place: Place, url: str, options: LineOptions) -> None:
        self._cluster = cluster
        self.place = place
        super().__init__(url, options._replace(on_change=self._changed))

    @property
    def is_open(self) -> bool:
        """Whether this node has answered before, and answers now."""
        return self._intake.is_open is True

    def call_of(self, operation: Operation, *, asking: bool = False) -> BatchCall:
        """Return a call that carries this operation alone. `asking`: the node is still taking over the slot (`ASK`)."""
        # With the whole script: a moving slot is rare, and its new node may not know the script yet.
        call = self._call([operation], whole=asking)
        call.asking = asking
        return call

    def send_on(self, calls: Iterable[BatchCall]) -> None:
        """Queue calls that another node redirected, before all operations that were never sent."""
        for call in calls:
            self._intake.add_call(call)

    def take_told(self) -> list[Operation]:
        """Remove and return the queued operations for whose answer no caller waits, and that were not sent."""
        told = [operation for operation in self._intake.queue if operation.answer is None]
        self._intake.queue = deque(operation for operation in self._intake.queue if operation.answer is not None)
        return told

    async def _probe(self) -> None:
        self._probes = tuple(self._cluster.probes_of(self))
        # An error about a slot says nothing about the health of the node.
        with contextlib.suppress(MovedError, AskError, TryAgainError):
            await super()._probe()

    def _changed(self, answers: bool) -> None:
        self._cluster.node_changed(self, answers=answers)

    def _next(self) -> Sequence[BatchCall]:
        if not self._intake.calls:
            return super()._next()
        return [self._intake.calls.popleft() for _ in range(min(len(self._intake.calls), BATCH_MAX))]

    def _calls_of(self, operations: list[Operation]) -> Sequence[BatchCall]:
        by_slot: defaultdict[int, list[Operation]] = defaultdict(list)
        for operation in operations:
            by_slot[key_slot(operation.keys.first)].append(operation)
        return [
            self._call(each[first : first + BATCH_MAX])
            for each in by_slot.values()
            for first in range(0, len(each), BATCH_MAX)
        ]

    def _send(self, wire: RespProtocol, calls: Sequence[BatchCall]) -> None:
        if any(call.asking for call in calls):
            calls = [each for call in calls for each in ((self._asking(call), call) if call.asking else (call,))]
        super()._send(wire, calls)

    def _asking(self, call: BatchCall) -> BatchCall:
        """Send `ASKING`, which allows one call on this connection for a slot that is still moving here."""
        asking = BatchCall((b"ASKING",), call.deadline)
        asking.result = self._loop.create_future()
        asking.result.add_done_callback(lambda answer: answer.cancelled() or answer.exception())  # the result is unused
        return asking

    def _refused(self, call: BatchCall, error: Exception) -> None:
        if not self._cluster.redirect(call, error, self):
            super()._refused(call, error)


def read_map(reply: Any, asked: str) -> list[Range]:
    """Return the ranges of slots in a reply to `CLUSTER SLOTS`, without those whose primary has no name yet.

    `asked`: the host that replied, used where a node does not give its own.
    """
    ranges = []
    for first, last, primary, *_ in reply:
        host, port = primary[0], int(primary[1])
        # An empty host (Redis 7: null): the node does not know its own address yet; use the one that was asked.
        name = host.decode() if host else asked
        if name != "?" and port:
            ranges.append(Range(int(first), int(last), (name, port)))
    return ranges


def again(call: BatchCall, *, asking: bool) -> BatchCall:
    """Return a copy of a call to send to another node; its answer goes to the same caller."""
    copy = BatchCall(call.command, call.deadline, call.packed)
    copy.result = call.result
    copy.asking = asking
    return copy


def slot_of(call: BatchCall) -> int:
    return key_slot(call.operations[0].keys.first if call.operations else first_key(call.command))


def first_key(command: Sequence[bytes]) -> bytes:
    """Return a command's first key: the fourth word of `EVAL` and `EVALSHA`, the second word of all other commands."""
    return command[3] if command[0] in {b"EVAL", b"EVALSHA"} else command[1]
