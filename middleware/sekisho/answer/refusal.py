"""The cases in which sekisho answers for the application: a status, a stable code, and when to come back."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

UNREADABLE_STATUSES = frozenset({400, 408, 413, 415})
TEXT_MAX = 8_192

# The longest period a limit may have; a longer wait can only come from a damaged record.
WAIT_SECONDS_MAX = 31 * 86_400
# A fifth of a day's wait would be five hours on top, more than any thundering herd needs to thin out.
JITTER_SECONDS_MAX = 900


class Refusal(NamedTuple):
    """What is answered instead of the application.

    Attributes:
        status: HTTP status.
        code: stable and public; clients act on it.
        retry_after_s: seconds until it makes sense to try again; `None` where waiting does not help.
        text: only for `misconfigured`: what the operator has to mend. Never anything of a request.
        max_age_s: only for `step_up_required`: how old a proof may be, where there may have been one (RFC 9470).
    """

    status: int
    code: str
    retry_after_s: int | None = None
    text: str = ""
    max_age_s: int | None = None


@lru_cache(maxsize=1_024)  # waits are whole seconds and mostly short
def too_many_attempts(retry_after_s: int) -> Refusal:
    """Over a limit (RFC 6585 section 4)."""
    return Refusal(429, "too_many_attempts", retry_after_s)


def challenge_required() -> Refusal:
    """Work is asked for before the secret is looked at."""
    return Refusal(401, "challenge_required")


def step_up_required(max_age_s: int | None = None) -> Refusal:
    """The secret alone does not suffice here, right or wrong; or, on a protected route, no proof is fresh enough.

    `max_age_s`: how old the proof may be there, in seconds.
    """
    return Refusal(401, "step_up_required", max_age_s=max_age_s)


def proof_failed() -> Refusal:
    """What was shown proves nothing. The same for all reasons, and for accounts that could prove nothing."""
    return Refusal(401, "proof_failed")


def start_again() -> Refusal:
    """What was begun is over: expired, used, tampered with or somebody else's; never said which."""
    return Refusal(410, "start_again")


def denied() -> Refusal:
    return Refusal(403, "denied")


def unreadable_attempt(status: int) -> Refusal:
    """What could not be read is not passed on. `status`: 400, 408, 413 or 415; raises `ValueError` for others."""
    if status not in UNREADABLE_STATUSES:
        raise ValueError(f"no status of an unreadable attempt: {status}")
    return Refusal(status, "unreadable_attempt")


def breached_password() -> Refusal:
    """The new password stands in a list of stolen ones."""
    return Refusal(422, "breached_password")


def unavailable(retry_after_s: int) -> Refusal:
    """Cannot judge now, and what is not judged is not passed on."""
    return Refusal(503, "unavailable", retry_after_s)


def misconfigured(text: str) -> Refusal:
    """The guard could not start. `text` is a settings error's, which by contract names variables and no values."""
    return Refusal(503, "misconfigured", None, text[:TEXT_MAX])


def retry_after_s(wait_us: int, jitter: float) -> int:
    """Seconds for `Retry-After`: never before the wait is over, and not for everybody at the same moment.

    Adds up to a fifth of the wait, at least up to two seconds, at most up to fifteen minutes.

    Args:
        wait_us: until there is room again, in microseconds.
        jitter: in [0, 1), uniformly random; where it comes from is the caller's business.
    """
    truth = min(max(1, -(-wait_us // 1_000_000)), WAIT_SECONDS_MAX)
    spread = min(max(2, truth // 5), JITTER_SECONDS_MAX)
    return truth + min(spread, int(jitter * (spread + 1)))
