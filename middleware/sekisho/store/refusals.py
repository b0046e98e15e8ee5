"""Explains errors of Redis for the log: the refusal and its remedy.

The kind of an error is its first word (`OOM`, `NOPERM`). Its text is never logged: it may quote a key or a password.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from sekisho.model import StoreRefuses

if TYPE_CHECKING:
    from collections.abc import Iterator

ADVICE: Final = {
    "OOM": "it is full: raise its maxmemory, and leave maxmemory-policy at noeviction",
    "READONLY": "it is a replica: SEKISHO_STORE must name the primary, or the Sentinels or the Cluster that know it",
    "MISCONF": "it cannot save its data and takes no writes: look into its log, mostly its disk is full",
    "NOPERM": "its ACL forbids its user what sekisho needs: see the rights in docs/production.md [SEK034]",
    "WRONGPASS": "the user or the password in SEKISHO_STORE is wrong",
    "NOAUTH": "it wants a password: name it in SEKISHO_STORE",
    "BUSY": "a script of somebody's has run for seconds: end it with SCRIPT KILL or FUNCTION KILL",
    "LOADING": "it is reading its data after a start; it is asked again until that is done",
    "CLUSTERDOWN": "the Cluster has slots without a node: look at CLUSTER INFO",
    "MASTERDOWN": "it is a replica without its primary",
    "NOREPLICAS": "too few replicas are connected to it: see min-replicas-to-write",
    "DENIED": "it is in protected mode: give it a password, or bind it to this machine",
    "MAXCLIENTS": "it has as many clients as it takes: raise maxclients",
    "DATABASE": "it has no database of this number: SEKISHO_STORE ends in it, as in /0",
}
"""The remedy for each kind that has one of its own."""

_KINDS: Final = {
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
    NoPermissionError: "NOPERM",
    BusyLoadingError: "LOADING",
    ClusterDownError: "CLUSTERDOWN",
    MasterDownError: "MASTERDOWN",
}
# Before Redis 7 a script's error stands within a text of its own: "ERR Error running script ...: -OOM command ...".
_CODE: Final = re.compile(r"\b(" + "|".join(ADVICE) + r")\b")


def refusal_of(error: Exception) -> str | None:
    """The code of an error, one of `ADVICE`; None for other kinds and for errors of the connection."""
    text = str(error)
    if isinstance(error, AuthenticationError):
        return "NOAUTH" if "required" in text else "WRONGPASS"
    for kind, code in _KINDS.items():
        if isinstance(error, kind):
            return code
    if text.startswith("max number of clients"):
        return "MAXCLIENTS"
    if "DB index" in text:
        return "DATABASE"
    found = _CODE.search(text)
    return found[1] if found else None


def problem_of(error: Exception) -> str:
    """The store's failure as a phrase that begins with a verb."""
    return f"{'refuses to work' if refusal_of(error) else 'does not answer'}: {explained(error)}"


def explained(error: Exception) -> str:
    """The kind of an error and its remedy, in our own words; the class name for an unknown one."""
    code = refusal_of(error)
    return f"{code}: {ADVICE[code]}" if code else type(error).__name__


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raise redis-py's `ResponseError` as `StoreRefuses`: its own text may quote a key."""
    try:
        yield
    except ResponseError as error:
        raise StoreRefuses(explained(error)) from None


EVICTS: Final = (
    "SEKISHO_STORE: this Redis evicts keys when it is full (maxmemory-policy {}): limits are forgotten, and codes that "
    "were used are good again; set maxmemory-policy to noeviction [SEK032]"
)


def evicting_policy(memory: Any) -> str | None:
    """The `maxmemory-policy` by which a server forgets keys when it is full, from what `INFO memory` answers.

    None where it forgets none, has no bound, or does not say.
    """
    facts = _facts(memory)
    policy = facts.get("maxmemory_policy", "noeviction")
    return policy if policy in _EVICTING and facts.get("maxmemory", "0") != "0" else None


MAXMEMORY_SHARE: Final = 0.8
"""The share of `maxmemory` that is used where no budget is set; the rest is for buffers, step-ups and addresses."""
UNWEIGHED: Final = (
    "SEKISHO_STORE_BYTES_MAX: this Redis does not tell how much it holds, so no budget is kept: give its user +info "
    "[SEK033]"
)


def over_budget(memory: Any, bytes_max: int | None) -> bool | None:
    """Whether a server holds more than it may, by what `INFO memory` answers; None where it does not say."""
    facts = _facts(memory)
    try:
        used, most = int(facts["used_memory"]), int(facts.get("maxmemory", "0"))
    except (KeyError, ValueError):
        return None
    budget = bytes_max if bytes_max is not None else most * MAXMEMORY_SHARE
    return budget > 0 and used > budget


def _facts(memory: Any) -> dict[str, str]:
    if not isinstance(memory, bytes):
        return {}
    return dict(line.split(":", 1) for line in memory.decode("ascii", "replace").splitlines() if ":" in line)


# The policies of Redis and Valkey. Another server's own word is not copied into the log.
_EVICTING: Final = frozenset(
    f"{keys}-{order}" for keys in ("allkeys", "volatile") for order in ("lru", "lfu", "lrm", "random", "ttl")
)
