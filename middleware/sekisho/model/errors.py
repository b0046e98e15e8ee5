"""Errors, one class for each party that can correct them: the operator (a setting), the client (a request)."""

from __future__ import annotations


class SekishoError(Exception):
    """Base class of every error that sekisho raises on purpose."""


class SettingsError(SekishoError):
    """A setting is invalid. Names the variable and the correction, never the value: values hold secrets."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"{name}: {problem}")


class Unreadable(SekishoError):  # noqa: N818 - a verdict about a request, raised only inside the reader
    """An attempt cannot be read and therefore not judged: it is refused, never passed on.

    Attributes:
        status: 400 (malformed), 413 (too large), 408 (too slow) or 415 (an encoding that this door does not read).
        reason: a stable word for metrics and logs; contains nothing that the client sent.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{status} {reason}")


class StoreUnavailable(SekishoError):  # noqa: N818 - a state, not a mistake
    """The store did not answer within the deadline. Whether it counted is unknown; the call is not repeated."""


class StoreRefuses(StoreUnavailable):
    """The store answered and refused a command: it is full, or its user lacks a right. The text names the remedy."""


class SessionUnread(StoreUnavailable):
    """The service's `session_account` failed or took too long: whose session a request shows is unknown."""


class PasswordsBusy(SekishoError):  # noqa: N818 - a state, not a mistake
    """The limit of concurrent password checks is reached; this password was not checked. Answer 503.

    Attributes:
        retry_after_s: for `Retry-After`: the seconds until the checks ahead should be done.
    """

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many passwords are being checked; try again in {retry_after_s} s")
