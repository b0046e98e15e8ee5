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
    """Whether the attempt submits a password in a body at a log-in, where a right one has no effect but a session."""
    return attempt.door.kind is DoorKind.LOGIN and attempt.door.reads_body and tries_password(attempt)


def asks_owner(attempt: Attempt) -> bool:
    """Whether the attempt submits a password of a named account whose owner can be asked for a factor."""
    return bool(attempt.account) and attempt.door.has_owner and tries_password(attempt)


def counter_scope(attempt: Attempt, asker: bytes) -> bytes:
    """Return the name of the account's counter for the attempt; empty for the counter of passwords.

    Requests that try no secret have a counter for each kind of door, and an asker's guesses of a code have their own.
    Four requests for a reset must not use up an account's log-ins, nor a stranger's guesses those of the browser that
    asked for the code.

    `asker`: the name of the browser where it asked for the code that is tried; empty elsewhere.
    """
    if tries_password(attempt):
        return b""
    if not attempt.secret or attempt.door.secret_is_new:
        return attempt.door.kind.value.encode()
    return b"asker" + asker if asker else b""
