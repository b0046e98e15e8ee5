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

from sekisho.model import PasswordsBusy
from sekisho.passwords.checking import COSTLIER, RENEWALS_MAX, WRONG, Passwords, Verified
from sekisho.passwords.hashes import UnusableHash, UnusablePassword
from sekisho.passwords.pool import FILLED_KIB_A_SECOND, STRANGERS_SHARE, THREADS_MAX, WAIT_SECONDS, WAITING_MAX
from sekisho.passwords.profile import (
    OWASP,
    OWASP_7MIB,
    OWASP_9MIB,
    OWASP_12MIB,
    OWASP_19MIB,
    OWASP_46MIB,
    RFC9106_HIGH_MEMORY,
    RFC9106_LOW_MEMORY,
    STORED_COSTLIEST,
    Profile,
)

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
