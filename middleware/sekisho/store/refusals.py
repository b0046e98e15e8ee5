"""Explains errors of Redis for the log: the refusal and its remedy.

The kind of an error is its first word (`OOM`, `NOPERM`). Its text is never logged: it may quote a key or a password.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as Disconnected,
)

from sekisho.model import StoreRefuses

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_PRIMARY: Final = "the server that the Sentinels name is no primary"
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
    "NOCLUSTER": "it is no node of a Cluster: write redis:// in place of redis+cluster:// in SEKISHO_STORE",
    "NOSENTINEL": "no Sentinel listens there: its port is mostly 26379, and that of the data 6379",
    "NOSERVICE": "the Sentinels know no service of the name in which SEKISHO_STORE ends",
    "NOPRIMARY": "the server that the Sentinels name is no primary: a failover is under way, or they do not agree",
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
_TEXTS: Final = (
    ("user executing the script", "NOPERM"),  # Redis 7.0 and before, of a command within a script
    ("ACL failure in script", "NOPERM"),
    ("max number of clients", "MAXCLIENTS"),
    ("DB index", "DATABASE"),
    ("cluster support disabled", "NOCLUSTER"),
    ("nknown command 'SENTINEL'", "NOSENTINEL"),
    ("nknown command `SENTINEL`", "NOSENTINEL"),
    ("Sentinel knows no such service", "NOSERVICE"),
    (NO_PRIMARY, "NOPRIMARY"),
)
"""Parts of texts that begin with no code. Attributes: the part; a key of `ADVICE`."""
# Before Redis 7 a script's error stands within a text of its own: "ERR Error running script ...: -OOM command ...".
_CODE: Final = re.compile(r"\b(" + "|".join(ADVICE) + r")\b")


def refusal_of(error: Exception) -> str | None:
    """Return the code of a refusal by Redis, a key of `ADVICE`; None for other errors, as those of the connection."""
    text = str(error)
    if isinstance(error, AuthenticationError):
        return "NOAUTH" if "required" in text else "WRONGPASS"
    for kind, code in _KINDS.items():
        if isinstance(error, kind):
            return code
    for part, code in _TEXTS:
        if part in text:
            return code
    found = _CODE.search(text)
    return found[1] if found else None


def problem_of(error: Exception) -> str:
    """Return an error of the store as a phrase for the log: "refuses to work: ..." or "does not answer: ..."."""
    return f"{'refuses to work' if refusal_of(error) else 'does not answer'}: {explained(error)}"


def explained(error: Exception) -> str:
    """Return an error's code and its remedy, in our own words; the name of the error's class if its code is unknown."""
    if code := refusal_of(error):
        return f"{code}: {ADVICE[code]}"
    cause, text = _unreached(error)
    return f"{type(cause).__name__}: {text}" if text else type(error).__name__


_UNTRUSTED: Final = (
    "its certificate is not trusted here: name its CA, as in SEKISHO_STORE=rediss://HOST:6380/0?ssl_ca_certs=/ca.pem, "
    "and the host as the certificate names it"
)
UNREACHED: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ssl.SSLCertVerificationError, _UNTRUSTED),
    (ssl.SSLError, "no TLS came about: look at the ssl_ options of SEKISHO_STORE, and whether this port speaks TLS"),
    (socket.gaierror, "the host in SEKISHO_STORE has no address: is its name right, and does the resolver work?"),
    (ConnectionRefusedError, "nothing listens at the host and port of SEKISHO_STORE"),
    (FileNotFoundError, "a file that SEKISHO_STORE names is not there: the socket, or a certificate"),
    (PermissionError, "a file that SEKISHO_STORE names may not be used: the socket, or a certificate"),
    (TimeoutError, "no answer came in time: is it overloaded, does a firewall drop, or does this port speak no TLS?"),
    (InvalidResponse, "it speaks another language than Redis: are host and port of SEKISHO_STORE right?"),
    (Disconnected, "it ends the connection, or cannot be reached; a port that speaks TLS is written rediss://"),
)
"""What a failed connection means, by the class of the error or of its cause; the first that fits."""


CAUSES_MAX: Final = 8


def _unreached(error: BaseException) -> tuple[BaseException, str]:
    """The error or its cause that says most, with its text; an empty one where nothing is known."""
    found = ((each, text) for kind, text in UNREACHED for each in _causes(error) if isinstance(each, kind))
    return next(found, (error, ""))


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and len(chain) < CAUSES_MAX:
        chain.append(at)
        at = at.__cause__ or at.__context__
    return chain


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raise a redis-py `ResponseError` of the block as `StoreRefuses`, whose text quotes no key."""
    try:
        yield
    except ResponseError as error:
        raise StoreRefuses(explained(error)) from None


LATE: Final = "does not answer in time: `sekisho doctor` compares it with SEKISHO_STORE_DEADLINE_MS [SEK038]"
EVICTS: Final = (
    "SEKISHO_STORE: this Redis evicts keys when it is full (maxmemory-policy {}): limits are forgotten, and codes that "
    "were used are good again; set maxmemory-policy to noeviction [SEK032]"
)


def evicting_policy(memory: Any) -> str | None:
    """Return the `maxmemory-policy` by which a full server forgets keys, read from its reply to `INFO memory`.

    None where the server forgets no key, has no memory bound, or does not tell.
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
    """Whether a server uses more memory than `bytes_max`, by its reply to `INFO memory`; None if it does not say.

    Without `bytes_max` the budget is a share of the server's `maxmemory`.
    """
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
