"""The kinds of refusal: a status, a stable code, and when to try again."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

UNREADABLE_STATUSES = frozenset({400, 408, 413, 415})
TEXT_MAX = 8_192

# The longest period of a limit; a longer wait can only come from a damaged record.
WAIT_SECONDS_MAX = 31 * 86_400
# A fifth of a day's wait would add five hours, more than it takes to spread the returning clients.
JITTER_SECONDS_MAX = 900


class Refusal(NamedTuple):
    """An answer that is sent instead of the application's.

    Attributes:
        status: HTTP status.
        code: stable and public; clients act on it.
        retry_after_s: seconds until a new try can succeed; `None` where waiting does not help.
        text: only for `misconfigured`: what the operator must correct. Never contains parts of a request.
        max_age_s: only for `step_up_required`: how old a proof may be, where there may have been one (RFC 9470).
        acr: only for `step_up_required`: the class of factor that the proof has to be of, where a route names one.
    """

    status: int
    code: str
    retry_after_s: int | None = None
    text: str = ""
    max_age_s: int | None = None
    acr: str = ""


@lru_cache(maxsize=1_024)  # waits are whole seconds and mostly short
def too_many_attempts(retry_after_s: int) -> Refusal:
    """The answer to an attempt over a limit (RFC 6585 section 4)."""
    return Refusal(429, "too_many_attempts", retry_after_s)


def challenge_required() -> Refusal:
    """The answer that asks for work, before the secret is checked."""
    return Refusal(401, "challenge_required")


def step_up_required(max_age_s: int | None = None, acr: str = "") -> Refusal:
    """The answer that asks for a second proof: behind a right or wrong secret, or for a fresh one at a protected route.

    `max_age_s`: the greatest age of a proof on that route, in seconds; `acr`: the class that it has to be of, or "".
    """
    return Refusal(401, "step_up_required", max_age_s=max_age_s, acr=acr)


def contact_required() -> Refusal:
    """The answer that asks for the code mailed to the request's address. It is the same for every address."""
    return Refusal(401, "contact_required")


def proof_failed() -> Refusal:
    """The answer to a wrong proof: the same for all reasons, and for accounts without a factor."""
    return Refusal(401, "proof_failed")


def start_again() -> Refusal:
    """The answer to a ticket or form that is over: expired, used, tampered with or another client's.

    It never says which.
    """
    return Refusal(410, "start_again")


def denied() -> Refusal:
    return Refusal(403, "denied")


def cap_reached() -> Refusal:
    """The answer to an amount beyond what the account may move in a period. Waiting a few seconds does not help."""
    return Refusal(403, "cap_reached")


def unreadable_attempt(status: int) -> Refusal:
    """The answer to an attempt that cannot be read, and is not passed on.

    `status`: 400, 408, 413 or 415; raises `ValueError` for others.
    """
    if status not in UNREADABLE_STATUSES:
        raise ValueError(f"no status of an unreadable attempt: {status}")
    return Refusal(status, "unreadable_attempt")


def breached_password() -> Refusal:
    """The answer that refuses a new password, because it is in a list of stolen ones."""
    return Refusal(422, "breached_password")


def reset_requested() -> Refusal:
    """The answer to every request for a reset at a door that checks the address: known or not, on file or not."""
    return Refusal(202, "reset_requested")


def disposable_address() -> Refusal:
    """The answer that refuses a sign-up, because its mail address is one that is thrown away after use."""
    return Refusal(422, "disposable_address")


def unavailable(retry_after_s: int) -> Refusal:
    """The answer to an attempt that cannot be judged now, and is not passed on."""
    return Refusal(503, "unavailable", retry_after_s)


def misconfigured(text: str) -> Refusal:
    """The answer to all requests where the guard could not start.

    `text`: of the settings error; it names variables and never their values.
    """
    return Refusal(503, "misconfigured", None, text[:TEXT_MAX])


def retry_after_s(wait_us: int, jitter: float) -> int:
    """Seconds for `Retry-After`: never before the wait is over, and spread over clients.

    Adds up to a fifth of the wait, but at least up to two seconds and at most up to fifteen minutes.

    Args:
        wait_us: until there is room again, in microseconds.
        jitter: uniformly random in [0, 1).
    """
    truth = min(max(1, -(-wait_us // 1_000_000)), WAIT_SECONDS_MAX)
    spread = min(max(2, truth // 5), JITTER_SECONDS_MAX)
    return truth + min(spread, int(jitter * (spread + 1)))
