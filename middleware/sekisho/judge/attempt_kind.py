"""What an attempt tries, and under which counter of its account: a password, a code or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import DoorKind

if TYPE_CHECKING:
    from sekisho.model import Attempt


def tries_password(attempt: Attempt) -> bool:
    """Whether the attempt submits an existing password, rather than a code, a PIN, a new password or nothing."""
    return attempt.door.secret_is_password and bool(attempt.secret)


def tries_code(attempt: Attempt) -> bool:
    """Whether the attempt submits a secret with so few possible values that it can be guessed, as a code or a PIN."""
    return attempt.door.secret_is_small and bool(attempt.secret)


def is_log_in(attempt: Attempt) -> bool:
    """Whether the attempt tries a password where a session is the only effect of a right one."""
    return attempt.door.kind is DoorKind.LOGIN and attempt.door.reads_body and tries_password(attempt)


def asks_owner(attempt: Attempt) -> bool:
    """Whether the account's owner can be asked for a factor behind this password."""
    return bool(attempt.account) and attempt.door.has_owner and tries_password(attempt)


def counter_scope(attempt: Attempt, asker: bytes) -> bytes:
    """The name of a separate counter: of requests that try no secret, and of an asker's guesses. Empty for passwords.

    Four requests for a reset must not use up an account's log-ins, nor a stranger's guesses those of the browser that
    asked for the code.

    `asker`: the name of the browser where it asked for the code that is tried; empty elsewhere.
    """
    if tries_password(attempt):
        return b""
    if not attempt.secret or attempt.door.secret_is_new:
        return attempt.door.kind.value.encode()
    return b"asker" + asker if asker else b""
