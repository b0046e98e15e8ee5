"""Checks passwords and makes hashes, in a pool of threads."""

from __future__ import annotations

import inspect
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from argon2.exceptions import Argon2Error, HashingError

from sekisho.model import DEVICE_CLASS, Device, PasswordsBusy
from sekisho.once import Once
from sekisho.passwords.hashes import StoredHash, UnusableHash, decoy_of, hash_of, matches, parsed, usable
from sekisho.passwords.pool import pool_for
from sekisho.passwords.profile import OWASP, STORED_COSTLIEST, Profile, costs, rest
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("sekisho")

Value = TypeVar("Value")

RENEWALS_MAX = 64  # hashes that wait to be renewed; each keeps a password in memory until then


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
        self._pool = pool_for(self.decoy, threads, waiting_max)
        # Its tag is random: a match is as unlikely as can be, and would be answered as wrong all the same.
        self._nobodys = decoy_of(self.decoy)
        self._costs_max = tuple(map(max, zip(*map(costs, (profile, self.decoy, STORED_COSTLIEST)), strict=True)))
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
        secret = usable(password)
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
            found = renew(await self._compute(lambda: hash_of(self.profile, secret), Device.STRANGER))
            if inspect.isawaitable(found):
                await found
        except PasswordsBusy:
            return  # the next log-in finds the old hash again
        except Exception as error:  # noqa: BLE001 - it is the service's code, and no caller waits for it
            log.warning("a password's new hash was not stored: %s", type(error).__name__)

    async def hash(self, password: str) -> str:
        """The hash to store for a new password. Raises `PasswordsBusy` and `UnusablePassword`."""
        secret = usable(password)
        return await self._compute(lambda: hash_of(self.profile, secret))

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

    def _known(self, stored: str) -> StoredHash:
        known = parsed(stored)
        # A damaged parameter could ask for terabytes, or for a thread that never returns.
        if any(cost > most for cost, most in zip(costs(known.profile), self._costs_max, strict=True)):
            raise UnusableHash("costly")
        if known.profile.work_kib > self.decoy.work_kib and self._once():
            log.warning(COSTLIER)
        return known

    # Runs in a thread of the pool.

    def _check(self, known: StoredHash | None, secret: bytes, *, renews: bool = True) -> Verified:
        with self._counting:
            self.checks += 1
        is_right = matches(known.phc if known else self._nobodys, secret)
        if known is None:
            return WRONG
        if not is_right:
            self._make_up_for(known.profile, secret)
            return WRONG
        if not renews:
            self._make_up_for(known.profile, secret)
            return Verified(right=True)
        return Verified(right=True, new_hash=self._renewed(known.profile, secret))

    def _make_up_for(self, cheaper: Profile, secret: bytes) -> None:
        # An account with an old, cheaper hash would otherwise answer faster than no account, and so reveal itself.
        if missing := rest(self.decoy, cheaper):
            hash_of(missing, secret)

    def _renewed(self, old: Profile, secret: bytes) -> str | None:
        if old == self.profile:
            return None
        try:
            return hash_of(self.profile, secret)
        except HashingError:
            return None  # no memory for it now; the password is right all the same, and a later log-in renews it
