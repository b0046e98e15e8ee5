"""What can go wrong, by who can mend it: the operator (a setting) or the client (a request)."""

from __future__ import annotations


class SekishoError(Exception):
    """Root of every error that sekisho raises on purpose."""


class SettingsError(SekishoError):
    """A setting makes no sense. Names the variable and what to do, never its value: values hold secrets."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"{name}: {problem}")


class Unreadable(SekishoError):  # noqa: N818 - a verdict about a request, raised only inside the reader
    """An attempt that cannot be read, and so cannot be judged: refused, never waved through.

    Attributes:
        status: 400 (malformed), 413 (too large), 408 (too slow) or 415 (an encoding this door does not read).
        reason: a stable word for metrics and logs; holds nothing the client sent.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{status} {reason}")


class StoreUnavailable(SekishoError):  # noqa: N818 - a state, not a mistake
    """The store did not answer within the deadline. Nobody knows whether it counted; nobody asks twice."""


class PasswordsBusy(SekishoError):  # noqa: N818 - a state, not a mistake
    """As many passwords are being checked as may be, and none of this one was. Answer 503.

    Attributes:
        retry_after_s: for `Retry-After`: seconds after which those before should be done.
    """

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many passwords are being checked; try again in {retry_after_s} s")
