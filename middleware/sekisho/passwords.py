"""Checks and hashes passwords with argon2id, in a small fixed number of threads.

A hash is expensive by design, which an attacker can exploit: on a small machine, a thousand log-ins a second would fill
gigabytes and take minutes. Here a fixed number is computed at once, a fixed number waits, and all others are refused
immediately. Answer times do not reveal whether an account exists: a wrong password costs the same work for any account.

Behind `LoginGuard` known devices are served first, without a changed handler: see `Passwords`.

    passwords = Passwords()

    stored = members.password_hash(name)  # None where no account has this name
    checked = await passwords.verify(stored, password, renew=lambda new: members.replace_hash(name, stored, new))
    if not checked:
        ...  # a wrong password, or no such account

`renew` is called later, if the profile has changed since the hash was stored.
"""

from __future__ import annotations

import asyncio
import binascii
import inspect
import logging
import os
import re
import secrets
import threading
from base64 import b64decode, b64encode
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final, TypeVar

from argon2 import low_level
from argon2.exceptions import Argon2Error, HashingError, VerifyMismatchError

from sekisho.model import DEVICE_CLASS, Device, PasswordsBusy, SekishoError
from sekisho.once import Once
from sekisho.read.names import SECRET_BYTES_MAX
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "COSTLIER",
    "FILLED_KIB_A_SECOND",
    "OWASP",
    "OWASP_7MIB",
    "OWASP_9MIB",
    "OWASP_12MIB",
    "OWASP_19MIB",
    "OWASP_46MIB",
    "RENEWALS_MAX",
    "RFC9106_HIGH_MEMORY",
    "RFC9106_LOW_MEMORY",
    "STORED_COSTLIEST",
    "STRANGERS_SHARE",
    "THREADS_MAX",
    "WAITING_MAX",
    "WAIT_SECONDS",
    "WRONG",
    "Passwords",
    "PasswordsBusy",
    "Profile",
    "UnusableHash",
    "UnusablePassword",
    "Verified",
]

log = logging.getLogger("sekisho")

Value = TypeVar("Value")

THREADS_MAX = 4  # a service runs about one process per core, and each has its own threads
WAIT_SECONDS = 1.0  # after a longer wait people press the button again
WAITING_MAX = 1_024
STRANGERS_SHARE = 4
"""One hash in this many is a stranger's while both wait: a flood of known devices must not lock out new ones."""
RENEWALS_MAX = 64  # hashes that wait to be renewed; each keeps a password in memory until then
FILLED_KIB_A_SECOND = 1_048_576  # by one thread; measured between one and two GiB, the most with small hashes


@dataclass(frozen=True, slots=True)
class Profile:
    """The cost of one hash. Raises `ValueError` for parameters that argon2 does not allow.

    Attributes:
        passes: over the memory; `t` in RFC 9106.
        memory_kib: KiB that are filled, by all lanes together; `m`.
        lanes: threads that compute one hash; `p`.
        source: of the recommendation.
    """

    passes: int
    memory_kib: int
    lanes: int
    salt_bytes: int = 16
    tag_bytes: int = 32
    source: str = field(default="your own", compare=False)

    def __post_init__(self) -> None:
        if self.passes < 1 or self.lanes < 1 or self.memory_kib < 8 * self.lanes:
            raise ValueError("argon2 makes at least one pass, in at least one lane, over at least 8 KiB a lane")

    @property
    def work_kib(self) -> int:
        """KiB that are filled in all passes; the time of a hash is proportional to it."""
        return self.passes * self.memory_kib


RFC9106_HIGH_MEMORY: Final = Profile(1, 2_097_152, 4, source="RFC 9106 section 4, first recommended option: 2 GiB")
RFC9106_LOW_MEMORY: Final = Profile(3, 65_536, 4, source="RFC 9106 section 4, second recommended option: 64 MiB")
OWASP_46MIB: Final = Profile(1, 47_104, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_19MIB: Final = Profile(2, 19_456, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_12MIB: Final = Profile(3, 12_288, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_9MIB: Final = Profile(4, 9_216, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_7MIB: Final = Profile(5, 7_168, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")

# The minimum that OWASP names first. The default of argon2-cffi (RFC9106_LOW_MEMORY) would cost a service five times
# the work and four threads an attempt, which an attacker can exploit as much as it protects the owner.
OWASP: Final = OWASP_19MIB

# Hashes that a Python service may have stored by default: argon2-cffi's parameters from 2018 to 2021.
STORED_COSTLIEST: Final = Profile(2, 102_400, 8)


class UnusablePassword(SekishoError):  # noqa: N818 - what it is about
    """No account can have this password. Raised before anything is computed, regardless of the account.

    Attributes:
        reason: `empty`, `too_long` or `not_text` (half of a surrogate pair); a stable word.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the password cannot be used: {reason}")


class UnusableHash(SekishoError):  # noqa: N818 - what it is about
    """The hash stored for this account cannot be checked; its owner's password may well be right.

    Attributes:
        reason: `foreign` (not argon2id: use the code that made it), `damaged`, or `costly` (beyond the declared cost:
            name its parameters as `decoy`); a stable word.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the stored hash cannot be used: {reason}")


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether the password is right; its truth value says so.

    Attributes:
        right: the same, by name.
        new_hash: store it in place of the old one, which has other parameters; None where none is needed. Replace only
            the hash that was checked: `update … set hash = :new where hash = :checked`. Otherwise a password that was
            changed in between would be changed back.
    """

    right: bool
    new_hash: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        # Without this, code that forgets `.right` would let every password in.
        return self.right


WRONG: Final = Verified(right=False)
COSTLIER: Final = (
    "some stored hashes cost more than a check for an account that does not exist, and the time of an answer tells the "
    "one from the other: name their parameters as `decoy` of Passwords"
)


class Passwords:
    """Checks and makes hashes, a few at once. For any number of event loops; threads start with its first use.

    Memory: `threads` hashes at once, by default twice 19 MiB on two cores. A stored hash may be larger than today's
    profile; `memory_kib_max` assumes the largest that is accepted.

    A right password on an old hash takes two hashes, the second for the new one. Behind a step-up that time would
    reveal that the password is right, so give `renew`: then the second hash is made after the answer, and a right
    password takes as long as a wrong one.

    Known devices first: behind `LoginGuard` the guard sets the attempt's device class before the secret is checked.
    While both wait, three hashes in four are known devices' and one is a stranger's. A stranger who would wait for more
    than about a second gets `PasswordsBusy` at once. Calls without a guard, and calls from a context that the device
    class does not reach (see `sekisho.model.device_class`), count as strangers'.

    Args:
        profile: the cost of new hashes, and of renewed ones.
        decoy: the cost of a wrong password, for any account and for none; by default the profile. Where a stored hash
            costs less, the rest of that work is done as well. Where it costs more, an answer for no account would be
            quicker: so after lowering the profile, name the old one here until all hashes are renewed.
        threads: hashes at once; each runs `lanes` threads of its own. By default as many as the cores allow, up to 4.
        waiting_max: how many strangers may wait; a quarter of that while known devices wait. By default as many as are
            done in a second. The same number of known devices may wait in addition.

    Attributes:
        checks: how many passwords have been checked since the start.
        memory_kib_max: KiB that all hashes at once can take, with any accepted stored hash.
    """

    def __init__(
        self,
        profile: Profile = OWASP,
        *,
        decoy: Profile | None = None,
        threads: int | None = None,
        waiting_max: int | None = None,
    ) -> None:
        self.profile: Final = profile
        self.decoy: Final = decoy or profile
        if self.decoy.work_kib < profile.work_kib:
            raise ValueError("a decoy that costs less than the profile would tell which accounts exist")
        self.checks = 0
        self._counting = threading.Lock()
        self._pool = _pool(self.decoy, threads, waiting_max)
        # Its tag is random: a match is as unlikely as can be, and would be answered as wrong all the same.
        self._nobodys = _phc(self.decoy)
        self._costs_max = tuple(map(max, zip(*map(_costs, (profile, self.decoy, STORED_COSTLIEST)), strict=True)))
        self.memory_kib_max: Final = self._pool.threads * self._costs_max[0]
        self._once = Once()
        self._renewing = TaskSet()

    @property
    def shed(self) -> int:
        """How many calls were refused as busy since the start."""
        return self._pool.shed

    async def verify(
        self,
        stored: str | None,
        password: str,
        *,
        renew: Callable[[str], object] | None = None,
        device: Device | None = None,
    ) -> Verified:
        """Whether the hash `stored` was made from `password`; None stands for an account that does not exist.

        Args:
            stored: the hash.
            password: as typed.
            renew: stores a new hash in place of the one that was checked, if that is still the stored one; a function
                or a coroutine function. Called shortly after, from a task on this event loop, but not while too many
                passwords are being checked: the next log-in renews it then. With it `new_hash` is None.
            device: the caller's device class, in contexts that the guard's does not reach:
                `scope["state"]["sekisho"].device`.

        Raises:
            PasswordsBusy: too many are being checked.
            UnusablePassword: before anything is computed, regardless of the account.
            UnusableHash: the stored hash cannot be checked.
        """
        secret = _secret(password)
        known = None if stored is None else self._known(stored)
        if renew is None:
            return await self._compute(lambda: self._check(known, secret), device)
        found = await self._compute(lambda: self._check(known, secret, renews=False), device)
        if found and known is not None and known.profile != self.profile and len(self._renewing) < RENEWALS_MAX:
            self._renewing.start(self._renew(secret, renew))
        return found

    async def _renew(self, secret: bytes, renew: Callable[[str], object]) -> None:
        try:
            # No client waits for it, so it must not precede a known device's log-in.
            found = renew(await self._compute(lambda: _hash(self.profile, secret), Device.STRANGER))
            if inspect.isawaitable(found):
                await found
        except PasswordsBusy:
            return  # the next log-in finds the old hash again
        except Exception as error:  # noqa: BLE001 - it is the service's code, and no caller waits for it
            log.warning("a password's new hash was not stored: %s", type(error).__name__)

    async def hash(self, password: str) -> str:
        """The hash to store for a new password. Raises `PasswordsBusy` and `UnusablePassword`."""
        secret = _secret(password)
        return await self._compute(lambda: _hash(self.profile, secret))

    async def aclose(self) -> None:
        """Let running and waiting hashes end, and with them the threads. A later call would start new ones."""
        await self._renewing.ended()
        await self._pool.aclose()

    async def _compute(self, work: Callable[[], Value], device: Device | None = None) -> Value:
        if device is None:
            device = DEVICE_CLASS.get()
        try:
            return await self._pool.run(work, known=device is not Device.STRANGER)
        except Argon2Error as error:
            # With valid input argon2 only fails for lack of memory or threads. That says nothing about the password.
            log.warning("argon2 could not compute a hash: %s", error)
            raise PasswordsBusy(self._pool.retry_after_s) from None

    def _known(self, stored: str) -> _Stored:
        known = _parse(stored)
        # A damaged parameter could ask for terabytes, or for a thread that never returns.
        if any(cost > most for cost, most in zip(_costs(known.profile), self._costs_max, strict=True)):
            raise UnusableHash("costly")
        if known.profile.work_kib > self.decoy.work_kib and self._once():
            log.warning(COSTLIER)
        return known

    # Runs in a thread of the pool.

    def _check(self, known: _Stored | None, secret: bytes, *, renews: bool = True) -> Verified:
        with self._counting:
            self.checks += 1
        matches = _matches(known.phc if known else self._nobodys, secret)
        if known is None:
            return WRONG
        if not matches:
            self._make_up_for(known.profile, secret)
            return WRONG
        if not renews:
            self._make_up_for(known.profile, secret)
            return Verified(right=True)
        return Verified(right=True, new_hash=self._renewed(known.profile, secret))

    def _make_up_for(self, cheaper: Profile, secret: bytes) -> None:
        # An account with an old, cheaper hash would otherwise answer faster than no account, and so reveal itself.
        if rest := _rest(self.decoy, cheaper):
            _hash(rest, secret)

    def _renewed(self, old: Profile, secret: bytes) -> str | None:
        if old == self.profile:
            return None
        try:
            return _hash(self.profile, secret)
        except HashingError:
            return None  # no memory for it now; the password is right all the same, and a later log-in renews it


_Call = tuple[Future[Any], "Callable[[], Any]"]


class _Pool:
    """Threads, and a bounded number of places to wait for them, for known devices and for strangers."""

    def __init__(self, threads: int, waiting_max: int, retry_after_s: int) -> None:
        self.threads = threads
        self.waiting_max = waiting_max
        self.retry_after_s = retry_after_s
        self.shed = 0
        self._lock = threading.Lock()  # shared by event loops and threads; held only briefly
        self._busy = 0
        self._known: dict[Future[Any], Callable[[], Any]] = {}
        self._strangers: dict[Future[Any], Callable[[], Any]] = {}
        self._known_in_a_row = 0  # while a stranger waited
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], Value], *, known: bool = False) -> Value:
        """The result of `work`, from a thread. Raises `PasswordsBusy` where there is no place."""
        result: Future[Value] = Future()
        self._enter(result, work, known=known)
        try:
            return await asyncio.wrap_future(result)
        except asyncio.CancelledError:
            # A waiting call gives up its place. A running one cannot be stopped, and keeps its thread until it is done:
            # otherwise clients that hang up could start more hashes than are allowed.
            with self._lock:
                self._known.pop(result, None)
                self._strangers.pop(result, None)
            raise

    def _enter(self, result: Future[Any], work: Callable[[], Any], *, known: bool) -> None:
        with self._lock:
            if self._busy < self.threads:
                self._executor = self._executor or ThreadPoolExecutor(self.threads, "sekisho-passwords")
                self._executor.submit(self._serve, result, work)
                self._busy += 1
            elif known and len(self._known) < self.waiting_max:
                self._known[result] = work
            elif not known and len(self._strangers) < self._strangers_max:
                self._strangers[result] = work
            else:
                self.shed += 1
                raise PasswordsBusy(self.retry_after_s)

    @property
    def _strangers_max(self) -> int:
        """As many as are served in time even while known devices wait: the others are refused now rather than late."""
        return ceil(self.waiting_max / STRANGERS_SHARE) if self._known else self.waiting_max

    def _serve(self, result: Future[Any], work: Callable[[], Any]) -> None:
        """Do one call's work, then that of waiting calls until there are none."""
        following: _Call | None = (result, work)
        while following:
            tell = _done(*following)
            # The place is freed before the answer is sent: a client that asks again on hearing it would find none.
            following = self._next()
            tell()

    def _next(self) -> _Call | None:
        with self._lock:
            if waiting := self._turn():
                result = next(iter(waiting))
                return result, waiting.pop(result)
            self._busy -= 1
            return None

    def _turn(self) -> dict[Future[Any], Callable[[], Any]]:
        """The queue whose turn it is: known devices', except for the strangers' share."""
        if not self._known or (self._strangers and self._known_in_a_row >= STRANGERS_SHARE - 1):
            self._known_in_a_row = 0
            return self._strangers
        self._known_in_a_row += bool(self._strangers)
        return self._known

    async def aclose(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
        if executor:
            await asyncio.to_thread(executor.shutdown)


def _done(result: Future[Any], work: Callable[[], Any]) -> Callable[[], object]:
    """Do the work, unless its caller has gone; returns a function that delivers the result."""
    if not result.set_running_or_notify_cancel():
        return lambda: None
    try:
        return partial(result.set_result, work())
    except BaseException as error:  # noqa: BLE001 - any error belongs to the caller that waits for the result
        return partial(result.set_exception, error)


def _pool(decoy: Profile, threads: int | None, waiting_max: int | None) -> _Pool:
    if threads is None:
        threads = min(THREADS_MAX, max(1, _cores() // decoy.lanes))
    if threads < 1 or (waiting_max is not None and waiting_max < 0):
        raise ValueError("at least one thread is needed, and `waiting_max` is not negative")
    seconds = decoy.work_kib / FILLED_KIB_A_SECOND / threads
    if waiting_max is None:
        waiting_max = min(WAITING_MAX, max(threads, int(WAIT_SECONDS / seconds)))
    return _Pool(threads, waiting_max, ceil((waiting_max + threads) * seconds))


def _cores() -> int:
    # A container is often given fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# Hashes, and their stored format.


@dataclass(frozen=True, slots=True)
class _Stored:
    phc: bytes = field(repr=False)  # error reporters print the values in scope
    profile: Profile


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FORMAT: Final = "$argon2id$v=19$"
# As argon2 writes it: the parameters in this order, base64 without padding, a salt of eight bytes or more.
_PHC: Final = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,7})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)


def _secret(password: str) -> bytes:
    if not password:
        raise UnusablePassword("empty")
    # A character takes at least one byte, so a password of a megabyte is not even encoded. CVE-2013-1443 hashed it.
    if len(password) > SECRET_BYTES_MAX:
        raise UnusablePassword("too_long")
    # Searched for, because a UnicodeEncodeError would contain the password.
    if _SURROGATE.search(password):
        raise UnusablePassword("not_text")
    secret = password.encode()
    if len(secret) > SECRET_BYTES_MAX:
        raise UnusablePassword("too_long")
    return secret


def _parse(stored: str) -> _Stored:
    if not stored.startswith(_FORMAT):
        raise UnusableHash("foreign")
    found = _PHC.fullmatch(stored)
    if found is None:
        raise UnusableHash("damaged")
    memory_kib, passes, lanes = map(int, found.group(1, 2, 3))
    salt_bytes, tag_bytes = _length(found[4]), _length(found[5])
    # A column that is too narrow cuts tags off, and a shortened tag never matches: every owner would be told that a
    # right password is wrong. Software chooses tags of whole words; narrow columns rarely do.
    if memory_kib < 8 * lanes or tag_bytes % 8:
        raise UnusableHash("damaged")
    return _Stored(stored.encode(), Profile(passes, memory_kib, lanes, salt_bytes, tag_bytes))


def _length(base64: str) -> int:
    padded = base64 + "=" * (-len(base64) % 4)
    try:
        raw = b64decode(padded)
    except binascii.Error:
        raise UnusableHash("damaged") from None
    if b64encode(raw).decode() != padded:
        raise UnusableHash("damaged")  # bits beyond the last byte, which argon2 refuses as well
    return len(raw)


def _phc(profile: Profile) -> bytes:
    """A hash of no password with the cost of `profile`: salt and tag are random."""
    sizes = (profile.salt_bytes, profile.tag_bytes)
    salt, tag = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in sizes)
    return f"{_FORMAT}m={profile.memory_kib},t={profile.passes},p={profile.lanes}${salt}${tag}".encode()


def _matches(phc: bytes, secret: bytes) -> bool:
    try:
        return low_level.verify_secret(phc, secret, low_level.Type.ID)
    except VerifyMismatchError:
        return False


def _hash(profile: Profile, secret: bytes) -> str:
    return low_level.hash_secret(
        secret,
        secrets.token_bytes(profile.salt_bytes),
        time_cost=profile.passes,
        memory_cost=profile.memory_kib,
        parallelism=profile.lanes,
        hash_len=profile.tag_bytes,
        type=low_level.Type.ID,
    ).decode()


def _costs(profile: Profile) -> tuple[int, int, int]:
    return profile.memory_kib, profile.work_kib, profile.lanes


def _rest(whole: Profile, part: Profile) -> Profile | None:
    """The work that `part` lacks compared with `whole`, in no more memory; None if it is negligible."""
    least_kib, rest_kib = 8 * whole.lanes, whole.work_kib - part.work_kib
    if rest_kib < least_kib:
        return None
    passes = ceil(rest_kib / whole.memory_kib)
    return Profile(passes, max(rest_kib // passes, least_kib), whole.lanes)
