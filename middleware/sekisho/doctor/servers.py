"""The data servers behind a store's URL, and one conversation with each."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.crc import key_slot
from redis.exceptions import RedisError

from sekisho.ledger.redis import place_tags
from sekisho.settings.store import CLUSTER, SENTINEL, Several
from sekisho.store.cluster import read_map
from sekisho.store.connection import connection_to, converse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from redis.asyncio.connection import AbstractConnection

    from sekisho.store.cluster import Range

Place = tuple[str, int]
"""Host and port."""

ANSWER_S = 5.0
"""The longest that one answer is waited for, connecting included."""
SERVERS_MAX = 64


class Server(NamedTuple):
    """A server that accepts writes.

    Attributes:
        url: for redis-py. It is never printed: it may contain a password.
        admin_url: the same server, as its administrator; as the service's own user where no administrator was given.
        tag: a hash tag whose keys this server holds.
    """

    url: str
    admin_url: str
    tag: str

    def __repr__(self) -> str:
        return f"Server(tag={self.tag!r})"


class Conversation:
    """A connection to one server."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    async def ask(self, *command: str | bytes | int) -> Any:
        """Run one command. Raises `RedisError` where it is refused, `OSError` where no answer comes in time."""
        async with asyncio.timeout(ANSWER_S):
            return await converse(self._connection, *command)

    async def info(self, section: str) -> dict[str, str]:
        """The facts of one section of `INFO`. Raises as `ask`."""
        answer = await self.ask("INFO", section)
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else ""
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


@contextlib.asynccontextmanager
async def talking(url: str) -> AsyncIterator[Conversation]:
    """A conversation with the server at `url`. It connects with the first command."""
    connection = connection_to(url)
    try:
        yield Conversation(connection)
    finally:
        await connection.disconnect(nowait=True)


async def servers_of(url: str, admin_url: str | None = None) -> list[Server]:
    """The servers that hold the store's data: one, the primary that Sentinels name, or a Cluster's primaries.

    Args:
        url: of the store, as in the settings.
        admin_url: of the same kind, with an administrator's name and password.

    Raises `RedisError` or `OSError` where they cannot be found.
    """
    scheme = url.partition("://")[0]
    if scheme not in SENTINEL | CLUSTER:
        return [Server(url, admin_url or url, "probe")]
    several, admin = Several.of(url), Several.of(admin_url or url)
    places = await _first(several, _primary if scheme in SENTINEL else _primaries)
    return [Server(several.server_url(*place), admin.server_url(*place), tag) for place, tag in places.items()]


async def _first(several: Several, ask: Callable[[Several, str, int], Awaitable[dict[Place, str]]]) -> dict[Place, str]:
    """The answer of the first host that has one: places, and a hash tag of each."""
    problem: Exception = RedisError("no host")
    for host, port in several.hosts:
        try:
            return await ask(several, host, port)
        except (RedisError, OSError) as error:
            problem = error
    raise problem


async def _primary(several: Several, host: str, port: int) -> dict[Place, str]:
    async with talking(several.sentinel_url(host, port)) as sentinel:
        found = await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", several.service)
    if found is None:
        raise RedisError("this Sentinel knows no such service")
    name, primary_port = found
    return {(name.decode(), int(primary_port)): "probe"}


async def _primaries(several: Several, host: str, port: int) -> dict[Place, str]:
    async with talking(several.server_url(host, port)) as node:
        ranges = read_map(await node.ask("CLUSTER", "SLOTS"), host)
    places = dict.fromkeys(each.place for each in ranges)
    return {place: _tag_at(ranges, place) for place in list(places)[:SERVERS_MAX]}


def _tag_at(ranges: Sequence[Range], place: Place) -> str:
    """A hash tag in the slots of one node; any, where it holds none of the places that records live in."""
    held = [each for each in ranges if each.place == place]
    for tag in map(str, place_tags()):
        if any(each.first <= key_slot(tag.encode()) <= each.last for each in held):
            return tag
    return "probe"
