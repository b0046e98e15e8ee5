"""The commands that sekisho sends, and whether the store's user may run them.

With an administrator's connection `ACL DRYRUN` (Redis 7) tells without running anything. Without one each command is
run on keys of our own prefix, which are removed afterwards.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from redis.asyncio.connection import parse_url
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from sekisho.model import hazards
from sekisho.store.refusals import explained, refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sekisho.doctor.servers import Conversation
    from sekisho.model.diagnosis import Diagnosis

Words = tuple[str, ...]

KEYS: Final = "~"
"""In the place of a right: the user may not touch keys of our prefix."""
READS_AUDIT: Final = "+xrange"
"""Of operators' commands alone: the service itself only writes its audit."""
LIFETIME_MS: Final = "60000"
_UNKNOWN_SHA: Final = "0" * 40


def trial(namespace: str, tag: str, name: str) -> tuple[list[tuple[str, Words]], list[str]]:
    """Return pairs of a right in Redis' access lists and a command that needs it, and the keys that the commands make.

    Run in this order, every command succeeds for a user who has all rights.

    Args:
        namespace: of the service's keys.
        tag: a hash tag whose keys the server holds.
        name: a random word, so that two examinations at once do not disturb each other.
    """
    text, number, fields, scores = keys = [f"{namespace}:{{{tag}}}doctor{name}{kind}" for kind in "abcd"]
    return [
        ("+ping", ("PING",)),
        ("+time", ("TIME",)),
        ("+set", ("SET", text, "1", "PX", LIFETIME_MS)),
        ("+get", ("GET", text)),
        ("+mget", ("MGET", text)),
        ("+pttl", ("PTTL", text)),
        ("+getdel", ("GETDEL", text)),
        ("+incr", ("INCR", number)),
        ("+pexpire", ("PEXPIRE", number, LIFETIME_MS)),
        ("+hset", ("HSET", fields, "f", "1")),
        ("+hget", ("HGET", fields, "f")),
        ("+hincrby", ("HINCRBY", fields, "f", "1")),
        ("+hrandfield", ("HRANDFIELD", fields)),
        ("+hdel", ("HDEL", fields, "f")),
        ("+zadd", ("ZADD", scores, "1", "m")),
        ("+zcard", ("ZCARD", scores)),
        ("+zrange", ("ZRANGE", scores, "0", "-1")),
        ("+zrangebyscore", ("ZRANGEBYSCORE", scores, "-inf", "+inf")),
        ("+zremrangebyrank", ("ZREMRANGEBYRANK", scores, "0", "-257")),
        ("+zremrangebyscore", ("ZREMRANGEBYSCORE", scores, "-inf", "+inf")),
        ("+eval", ("EVAL", "return 1", "1", text)),
        ("+evalsha", ("EVALSHA", _UNKNOWN_SHA, "1", text)),
        ("+del", ("DEL", text)),
    ], keys


def of_feed(namespace: str, tag: str, name: str) -> list[tuple[str, Words]]:
    """Return pairs of a right and a command, as `trial` does, for the commands that `SEKISHO_FEED=on` adds."""
    key = f"{namespace}:{{{tag}}}doctor{name}feed"
    return [("+setbit", ("SETBIT", key, "0", "0")), ("+getbit", ("GETBIT", key, "0")), ("+del", ("DEL", key))]


def of_audit(namespace: str, tag: str, name: str) -> list[tuple[str, Words]]:
    """Return pairs of a right and a command, as `trial` does, for the commands that an audit in the store adds.

    Among them `XRANGE`, by which `sekisho audit` reads the audit.
    """
    key = f"{namespace}:{{{tag}}}doctor{name}audit"
    return [
        ("+xadd", ("XADD", key, "*", "line", "1")),
        ("+pexpire", ("PEXPIRE", key, LIFETIME_MS)),
        (READS_AUDIT, ("XRANGE", key, "-", "+", "COUNT", "1")),
        ("+del", ("DEL", key)),
    ]


def of_metrics(namespace: str, tag: str, name: str) -> list[tuple[str, Words]]:
    """Return pairs of a right and a command, as `trial` does, for those that `SEKISHO_METRICS_TOKEN` adds."""
    return [("+hgetall", ("HGETALL", f"{namespace}:{{{tag}}}doctor{name}sums"))]


def of_lists(namespace: str, tag: str, name: str) -> list[tuple[str, Words]]:
    """Return pairs of a right and a command, as `trial` does, for the commands that `SEKISHO_CAMPAIGNS=on` adds."""
    key = f"{namespace}:{{{tag}}}doctor{name}list"
    return [
        ("+exists", ("EXISTS", key)),
        ("+rpush", ("RPUSH", key, "1")),
        ("+ltrim", ("LTRIM", key, "-1", "-1")),
        ("+lrange", ("LRANGE", key, "0", "-1")),
        ("+del", ("DEL", key)),
    ]


def of_posture(namespace: str, tag: str, name: str) -> list[tuple[str, Words]]:
    """Return pairs of a right and a command, as `trial` does, for those that the estimate of the posture adds."""
    key = f"{namespace}:{{{tag}}}doctor{name}day"
    return [*of_lists(namespace, tag, name), ("+setbit", ("SETBIT", key, "0", "0")), ("+del", ("DEL", key))]


async def tried(
    server: Conversation, namespace: str, tag: str, name: str, extra: Sequence[tuple[str, Words]] = ()
) -> dict[str, Exception]:
    """Run the commands of `trial` and of `extra` as the service's own user; return the errors by right.

    Raises `OSError` where nothing answers.
    """
    commands, keys = trial(namespace, tag, name)
    answers: dict[str, Exception] = {}
    try:
        for right, words in (*commands, *extra):
            try:
                await server.ask(*words)
            except ResponseError as error:
                answers[right] = error
    finally:
        # Without the right to delete, each key that has a lifetime ends by itself within a minute.
        with contextlib.suppress(RedisError, OSError):
            await server.ask("DEL", *keys)
    return answers


async def asked(
    admin: Conversation, user: str, namespace: str, tag: str, name: str, extra: Sequence[tuple[str, Words]] = ()
) -> dict[str, Exception]:
    """Return the errors by right that `tried` would return, as `ACL DRYRUN` tells them: no command is run.

    `admin`: an administrator's connection; `user`: the service's own. Raises `RedisError` or `OSError`.
    """
    commands, _ = trial(namespace, tag, name)
    answers: dict[str, Exception] = {}
    for right, words in (*commands, *extra):
        answer = await admin.ask("ACL", "DRYRUN", user, *words)
        if answer != b"OK":
            answers[right] = NoPermissionError(answer.decode("utf-8", "replace"))
    return answers


def user_of(url: str) -> str:
    """The name of the user that a URL logs in as."""
    return str(parse_url(url.replace("redis+unix://", "unix://", 1)).get("username") or "default")


def checks_of_trial(answers: Mapping[str, Exception], namespace: str) -> Iterator[Diagnosis]:
    """Yield diagnoses of refused commands. `answers`: each command's error, by the right that the command needs."""
    denied = {right: error for right, error in answers.items() if refusal_of(error) == "NOPERM"}
    missing = {KEYS if "key" in _reason(error) else right for right, error in denied.items()}
    if missing:
        rights = sorted(missing - {KEYS})
        pattern = [f"~{namespace}:*"] if KEYS in missing else []
        yield hazards.MISSING_RIGHTS.found(
            f"SEKISHO_STORE: the store refuses its user {_listed(rights, bool(pattern))}",
            " ".join(["ACL SETUSER USER", *pattern, *rights]),
        )
    others = {explained(error) for right, error in answers.items() if right not in denied and _is_refusal(error)}
    for reason in sorted(others):
        yield hazards.UNWRITABLE_STORE.found(
            f"SEKISHO_STORE: the store takes no writes: {reason}", _LOOK.get(reason.partition(":")[0], "")
        )


_LOOK: Final = {
    "DATABASE": "SEKISHO_STORE=redis://USER:PASSWORD@HOST:6379/0",
    "OOM": "redis-cli CONFIG SET maxmemory MORE, once `redis-cli INFO memory` shows what fills it",
    "MISCONF": "redis-cli INFO persistence",
    "NOREPLICAS": "redis-cli CONFIG GET min-replicas-to-write",
}
"""The line to write for refusals that are no replica's, by their code."""


def _reason(error: Exception) -> str:
    """The part of a refusal that says whether the command or its key is at fault, without any quoted name."""
    return "command" if "run the" in str(error) else "key"


def _listed(rights: Sequence[str], keys: bool) -> str:
    said = [f"the commands {', '.join(right[1:] for right in rights)}"] if rights else []
    return " and ".join([*said, *(["keys of its own prefix"] if keys else [])])


def _is_refusal(error: Exception) -> bool:
    # `EVALSHA` of an unknown script is refused with NOSCRIPT, which shows that it was permitted.
    return refusal_of(error) is not None
