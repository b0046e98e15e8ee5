"""Proof of work: solved once, for one attempt, in time, at the asked difficulty, and never a proof of identity."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from altcha import Challenge, Payload, create_challenge, solve_challenge
from hypothesis import assume, given
from hypothesis import strategies as st

from sekisho.challenge.work import (
    DIFFICULTY_MAX,
    LIFE_S,
    PAYLOAD_CHARS_MAX,
    PHONE_HASHES_PER_S,
    SKEW_S,
    Work,
    Worked,
    difficulty,
)
from sekisho.model import StoreUnavailable
from sekisho.simulate.solve import encoded, solve, solved
from sekisho.store.vault import MemoryVault

OLD, NEW = b"o" * 32, b"n" * 32
NOW_S = 1_700_000_000.5  # years before this machine's clock, which must not be read
ATTEMPT = bytes(range(32))
EASY = 256  # expected hashes: the minimum
EASY_WORK = Worked(256)


def puzzle(work: Work, difficulty: int = EASY, *, carried: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(work.challenge(ATTEMPT, difficulty, carried=carried).text)
    return found


class Site:
    """Workers that share a vault and a clock."""

    def __init__(self, *, entries_max: int = 1_000) -> None:
        self.now_s = NOW_S
        self.vault = MemoryVault(entries_max=entries_max, bytes_max=1 << 20, clock_s=lambda: self.now_s)
        self.work = self.worker(OLD)

    def worker(self, *secrets: bytes, ahead_s: float = 0) -> Work:
        return Work(secrets, self.vault, clock_s=lambda: self.now_s + ahead_s)

    def challenge(self) -> dict[str, Any]:
        return puzzle(self.work)

    async def accept(self, payload: str, bound_to: bytes = ATTEMPT) -> Worked | None:
        return await self.work.accept(payload, bound_to)


@pytest.fixture
def site() -> Site:
    return Site()


async def test_what_was_solved_is_accepted_with_what_it_was_worth(site: Site) -> None:
    """Accepted work tells its value in expected hashes: iterations per try times tries."""
    assert await site.accept(solved(site.challenge())) == EASY_WORK
    assert await site.accept(solved(puzzle(site.work, 3 * 256)), ATTEMPT) == Worked(3 * 256)


async def test_the_solver_of_altcha_solves_it(site: Site) -> None:
    """ALTCHA's solver solves the puzzle, so its widget can be used."""
    challenge = Challenge.from_dict(json.loads(json.dumps(site.challenge())))
    solution = solve_challenge(challenge)
    assert solution is not None
    assert await site.accept(Payload(challenge, solution).to_base64()) == EASY_WORK


@pytest.mark.parametrize("carried", ["", "cGxhaW4_-="])
def test_it_is_signed_as_the_library_signs(carried: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 13.3: the puzzle equals `altcha.create_challenge` of the same numbers, member for member."""
    found = puzzle(site.work, 3 * 256, carried=carried)
    parameters = found["parameters"]
    random = iter([bytes.fromhex(parameters["nonce"]), bytes.fromhex(parameters["salt"])])
    monkeypatch.setattr("secrets.token_bytes", lambda _: next(random))

    theirs = create_challenge(
        "PBKDF2/SHA-256",
        3,
        key_prefix="00",
        expires_at=1_700_000_120,
        data=parameters.get("data"),
        hmac_secret=site.work._signing().bound(ATTEMPT),
    )

    assert theirs.to_dict() == found


async def test_it_works_once(site: Site) -> None:
    """A solution works once."""
    payload = solved(site.challenge())
    assert await site.accept(payload)
    assert await site.accept(payload) is None
    site.now_s += LIFE_S - 1
    assert await site.accept(payload) is None


async def test_data_comes_back_once_with_a_solution_or_without(site: Site) -> None:
    """An unsolved puzzle brings its data back once and uses the puzzle up, or it would come back again as solved."""
    asked, other = (puzzle(site.work, carried="cGxhaW4_-=") for _ in range(2))
    forged = {**other, "parameters": {**other["parameters"], "data": {**other["parameters"]["data"], "carried": "x"}}}

    assert await site.accept(encoded({"challenge": asked})) is None
    assert await site.work.carried(encoded({"challenge": asked}), b"another attempt") == ""
    assert await site.work.carried(encoded({"challenge": asked}), ATTEMPT) == "cGxhaW4_-="
    assert await site.work.carried(encoded({"challenge": asked}), ATTEMPT) == ""
    assert await site.accept(solved(asked)) is None
    assert await site.work.carried(encoded({"challenge": forged}), ATTEMPT) == ""
    assert await site.accept(solved(other))
    assert await site.work.carried(encoded({"challenge": other}), ATTEMPT) == ""


async def test_another_spelling_or_solution_of_it_is_the_same_work(site: Site) -> None:
    """Another spelling or solution of one puzzle is the same work, or JSON's spellings would multiply it."""
    payload = solve(site.challenge())
    assert await site.accept(encoded(payload))
    spaced = b64encode(json.dumps(payload, indent=1, sort_keys=True).encode()).decode()
    assert await site.accept(spaced) is None
    assert await site.accept(encoded(payload | {"more": 1})) is None
    payload["challenge"]["parameters"]["unsigned"] = 1
    assert await site.accept(encoded(payload)) is None


async def test_of_many_at_once_one_is_accepted(site: Site) -> None:
    """Of a hundred parallel uses over two workers one is accepted."""
    payload, other = solved(site.challenge()), site.worker(OLD)
    workers = (site.work, other) * 50
    got = await asyncio.gather(*(worker.accept(payload, ATTEMPT) for worker in workers))
    assert [each for each in got if each] == [EASY_WORK]


async def test_it_is_good_for_the_attempt_it_was_asked_for(site: Site) -> None:
    """Work is void for another door, account or browser, and a try there does not use it up."""
    payload = solved(site.challenge())
    for other in (ATTEMPT[:-1], ATTEMPT + b"\0", ATTEMPT[::-1], b"\0"):
        assert await site.accept(payload, other) is None
    assert await site.accept(payload)


async def test_work_for_nothing_in_particular_is_a_mistake(site: Site) -> None:
    """Work bound to nothing raises: it would be valid for everything."""
    with pytest.raises(ValueError, match="work is bound to an attempt"):
        site.work.challenge(b"", EASY)
    with pytest.raises(ValueError, match="work is bound to an attempt"):
        await site.accept(solved(site.challenge()), b"")


def test_the_page_learns_nothing_of_the_attempt(site: Site) -> None:
    """The page gets ALTCHA's fields alone, and no two puzzles are alike."""
    one, two = site.challenge(), site.challenge()
    assert set(one) == {"parameters", "signature"}
    fields = {"algorithm", "cost", "expiresAt", "keyLength", "keyPrefix", "nonce", "salt"}
    assert set(one["parameters"]) == fields
    assert one["parameters"]["nonce"] != two["parameters"]["nonce"]
    assert ATTEMPT.hex() not in json.dumps(one)


# Time.


async def test_it_ends_after_two_minutes(site: Site) -> None:
    """Work ends after two minutes, at the second that the page was told."""
    payloads = [solved(site.challenge()) for _ in range(2)]
    ends_s = solve(site.challenge())["challenge"]["parameters"]["expiresAt"]
    assert ends_s == int(NOW_S) + LIFE_S == int(NOW_S) + 120
    site.now_s = ends_s - 0.1
    assert await site.accept(payloads[0])
    site.now_s = ends_s
    assert await site.accept(payloads[1]) is None


async def test_the_mark_that_it_was_used_outlives_it_on_every_worker(site: Site) -> None:
    """The mark of its use outlives the work at a worker whose clock is behind."""
    early, late = site.worker(OLD, ahead_s=-SKEW_S), site.worker(OLD, ahead_s=0)
    payload = solved(site.challenge())
    assert await late.accept(payload, ATTEMPT)
    site.now_s += LIFE_S + SKEW_S - 1  # its end for the worker whose clock is behind
    assert await early.accept(payload, ATTEMPT) is None
    fresh = solved(puzzle(late))
    assert await early.accept(fresh, ATTEMPT)


async def test_what_ends_later_than_any_clock_allows_is_refused(site: Site) -> None:
    """Work that ends later than clock skew allows is refused: it would outlive the mark of its use."""
    payload = solved(puzzle(site.worker(OLD, ahead_s=SKEW_S + 1)))
    assert await site.accept(payload) is None


# Forgery.

FORGED: dict[str, tuple[str, ...]] = {
    "algorithm": ("challenge", "parameters", "algorithm"),
    "cost": ("challenge", "parameters", "cost"),
    "expiresAt": ("challenge", "parameters", "expiresAt"),
    "keyLength": ("challenge", "parameters", "keyLength"),
    "keyPrefix": ("challenge", "parameters", "keyPrefix"),
    "nonce": ("challenge", "parameters", "nonce"),
    "salt": ("challenge", "parameters", "salt"),
    "signature": ("challenge", "signature"),
    "derivedKey": ("solution", "derivedKey"),
    "counter": ("solution", "counter"),
}


def changed(payload: dict[str, Any], path: tuple[str, ...], value: Any = None) -> dict[str, Any]:
    """The payload with one field changed, to `value` or slightly."""
    payload = deepcopy(payload)
    at = payload
    for name in path[:-1]:
        at = at[name]
    old = at[path[-1]]
    slight = old + 1 if isinstance(old, int) else old[:-1] + ("1" if old[-1] == "0" else "0")
    at[path[-1]] = slight if value is None else value
    return payload


@pytest.mark.parametrize("field", FORGED)
async def test_no_field_is_the_clients_to_choose(site: Site, field: str) -> None:
    """The client can change no field by one digit."""
    payload = solve(site.challenge())
    assert await site.accept(encoded(changed(payload, FORGED[field]))) is None


@pytest.mark.parametrize("field", [field for field in FORGED if field not in {"derivedKey", "counter"}])
async def test_a_forged_challenge_uses_up_no_genuine_one(site: Site, field: str) -> None:
    """A forged challenge uses up no genuine one and does not reach the store."""
    payload = solve(site.challenge())
    await site.accept(encoded(changed(payload, FORGED[field])))
    assert site.vault.entries == 0
    assert await site.accept(encoded(payload))


@pytest.mark.parametrize("easier", [{"cost": 1}, {"keyPrefix": "0"}, {"keyPrefix": ""}, {"cost": 1, "keyPrefix": "00"}])
async def test_less_work_than_was_asked_is_none(site: Site, easier: dict[str, Any]) -> None:
    """Work with a lowered difficulty is refused."""
    challenge = puzzle(site.work, 100_000)
    challenge["parameters"] |= easier
    assert await site.accept(solved(challenge)) is None


async def test_a_solution_that_is_made_up_is_none_and_the_only_try(site: Site) -> None:
    """A made-up solution is refused after deriving one key: writing a right-looking key costs nothing."""
    payload = solve(site.challenge())
    made_up = deepcopy(payload)
    made_up["solution"] |= {"derivedKey": "0" * 64}
    assert await site.accept(encoded(made_up)) is None
    assert await site.accept(encoded(payload)) is None


async def test_a_key_of_ones_own_signs_nothing(site: Site) -> None:
    """Work signed with another key is refused, even with everything else known."""
    payload = solved(puzzle(site.worker(NEW)))
    assert await site.accept(payload) is None


async def test_secrets_rotate(site: Site) -> None:
    """The newest secret signs, all verify, and used work stays used through a rotation."""
    before, used = solved(site.challenge()), solved(site.challenge())
    assert await site.accept(used)
    both = site.worker(NEW, OLD)
    assert await both.accept(used, ATTEMPT) is None
    assert await both.accept(before, ATTEMPT) == EASY_WORK
    after = solved(puzzle(both))
    assert await site.accept(after) is None
    assert await site.worker(NEW).accept(after, ATTEMPT) == EASY_WORK


async def test_nothing_is_granted_where_the_store_cannot_tell_whether_it_was_used() -> None:
    """If the store cannot tell whether work was used, such as when it is full, nothing is granted."""
    site = Site(entries_max=1)
    await site.vault.once(b"another", seconds=1_000)
    with pytest.raises(StoreUnavailable):
        await site.accept(solved(site.challenge()))


# Input from strangers.


def nested(depth: int) -> str:
    return b64encode(b"[" * depth).decode()


MALFORMED = {
    "nothing": "",
    "no base64": "not base64!",
    "no text": "道場",
    "no JSON": b64encode(b"{").decode(),
    "bytes": b64encode(bytes(range(256))).decode(),
    "null": encoded(None),
    "a number": encoded(7),
    "a list": encoded([1]),
    "an empty object": encoded({}),
    "the first version of ALTCHA": encoded(
        {"algorithm": "SHA-256", "challenge": "0" * 64, "number": 1, "salt": "00", "signature": "0" * 64}
    ),
    "challenge of text": encoded({"challenge": "x", "solution": "x"}),
    "nothing signed": encoded({"challenge": {"parameters": {}, "signature": ""}, "solution": {}}),
    "depth": nested(1_500),
    "a long number": b64encode(b"9" * 1_500).decode(),
}


@pytest.mark.parametrize("payload", MALFORMED.values(), ids=MALFORMED)
async def test_what_cannot_be_read_is_no_work(site: Site, payload: str) -> None:
    """Unreadable input is no work and raises nothing, as an error page would be a signal."""
    assert await site.accept(payload) is None


async def test_base64_is_base64(site: Site) -> None:
    """Base64 is read strictly: two readers that differ let data hide."""
    payload = solved(site.challenge())
    assert await site.accept(payload[:40] + "\n!" + payload[40:]) is None
    assert await site.accept(payload)


async def test_what_is_too_long_is_not_looked_at(site: Site) -> None:
    """Oversized input is not decoded, even right work."""
    payload = solve(site.challenge())
    room = 3 * PAYLOAD_CHARS_MAX // 4 - len(json.dumps(payload | {"more": ""}))
    assert len(encoded(payload | {"more": "x" * (room + 1)})) > PAYLOAD_CHARS_MAX
    assert await site.accept(encoded(payload | {"more": "x" * (room + 1)})) is None
    assert len(encoded(payload | {"more": "x" * room})) == PAYLOAD_CHARS_MAX
    assert await site.accept(encoded(payload | {"more": "x" * room}))


def test_what_a_browser_sends_is_a_third_of_the_bound(site: Site) -> None:
    """A browser sends a third of the bound at the greatest difficulty and the longest counter."""
    challenge = puzzle(site.work, DIFFICULTY_MAX)
    longest = {"counter": 2**32 - 1, "derivedKey": "0" * 64, "time": 119_999.123456}
    assert len(encoded({"challenge": challenge, "solution": longest})) < PAYLOAD_CHARS_MAX / 2


@pytest.mark.parametrize("field", ["cost", "keyLength", "expiresAt", "counter"])
async def test_numbers_that_equal_the_right_ones_are_not_them(site: Site, field: str) -> None:
    """Numbers such as `1.0`, which is signed like `1`, are refused, as counting to it would raise."""
    payload = solve(site.challenge())
    number = payload["solution"]["counter"] if field == "counter" else payload["challenge"]["parameters"][field]
    assert await site.accept(encoded(changed(payload, FORGED[field], float(number)))) is None
    assert await site.accept(encoded(payload))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(sorted(FORGED)), value=JSON.filter(lambda value: value is not None))
async def test_anything_in_the_place_of_anything_is_no_work(field: str, value: Any) -> None:
    """Any JSON value in any field is no work."""
    site = Site()
    payload = solve(site.challenge())
    other = changed(payload, FORGED[field], value)
    assume(encoded(other) != encoded(payload))
    assert await site.accept(encoded(other)) is None


@given(JSON)
async def test_any_other_json_is_no_work(value: Any) -> None:
    """JSON of any other shape is no work."""
    assert await Site().accept(encoded(value)) is None


# Difficulty.


@pytest.mark.parametrize(
    ("level", "seconds"),
    [(0, (0.25, 0.5, 1, 2)), (1, (1, 2, 4, 8)), (2, (2, 4, 8, 8))],
    ids=["calm", "elevated", "attack"],
)
def test_work_grows_with_posture_and_occupancy(level: int, seconds: tuple[float, ...]) -> None:
    """Work grows with posture and occupancy by the documented table, checked at both sides of each step."""
    for (from_, to), wanted in zip(pairwise((0, 0.5, 0.75, 0.9, 1)), seconds, strict=True):
        for occupancy in (from_, to - 1e-9):
            assert difficulty(level, occupancy) / PHONE_HASHES_PER_S == wanted


@given(st.integers(-9, 9), st.integers(-9, 9), st.floats(), st.floats())
def test_it_is_bounded_and_never_less_when_things_are_worse(low: int, high: int, idle: float, full: float) -> None:
    """The difficulty is bounded for any input, never falls as the load rises, and stays feasible for a slow phone."""
    low, high = sorted((low, high))
    idle, full = sorted((idle, full)) if idle == idle and full == full else (0.0, float("nan"))  # noqa: PLR0124 - NaN
    assert 250_000 <= difficulty(low, idle) <= difficulty(high, full) <= DIFFICULTY_MAX


def test_a_phone_is_all_but_sure_to_be_done_before_it_ends() -> None:
    """Of a million phones one fails to finish in time: the number of tries is geometric."""
    assert 2.718281828 ** -(LIFE_S * PHONE_HASHES_PER_S / DIFFICULTY_MAX) < 1e-6


@given(st.integers(1, DIFFICULTY_MAX))
def test_what_is_asked_is_what_was_wanted_and_cheap_to_check(wanted: int) -> None:
    """The puzzle is as hard as asked or at most one try of 4,096 harder; checking is one derivation."""
    asked = puzzle(Site().work, wanted)["parameters"]
    tries = 16 ** len(asked["keyPrefix"])
    assert wanted <= tries * asked["cost"] < wanted + tries
    assert asked["cost"] <= 8_000
    assert set(asked["keyPrefix"]) == {"0"}
    assert tries in {256, 4_096}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("occupancy", [0, 0.5, 0.75, 0.9])
def test_a_browser_hashes_for_most_of_the_time(site: Site, level: int, occupancy: float) -> None:
    """A try takes a millisecond of a phone at every step: cheaper tries cost browsers more than programs."""
    asked = puzzle(site.work, difficulty(level, occupancy))["parameters"]
    assert asked["cost"] / PHONE_HASHES_PER_S >= 0.0009


def test_on_average_it_takes_the_tries_that_it_should() -> None:
    """300 puzzles of 256 tries take that many on average; six standard errors are 89."""
    site = Site()
    tries = [solve(site.challenge())["solution"]["counter"] + 1 for _ in range(300)]
    assert sum(tries) / len(tries) == pytest.approx(256, abs=89)


@pytest.mark.parametrize("none", [0, -1, DIFFICULTY_MAX + 1])
def test_a_difficulty_out_of_bounds_is_a_mistake(site: Site, none: int) -> None:
    """A difficulty out of bounds raises: zero work is none, and too much locks people out."""
    with pytest.raises(ValueError, match="difficulty is 1 to 8000000"):
        puzzle(site.work, none)


# No proof.


def test_work_is_nothing_but_work() -> None:
    """Solved work neither equals nor imitates a factor's result, and is immutable."""
    worked = Worked(EASY)
    assert Worked.__mro__ == (Worked, object)
    for other in ((EASY,), EASY, True):
        assert worked != other  # type: ignore[comparison-overlap] # which is half of the claim
    with pytest.raises(AttributeError):
        worked.difficulty = 1  # type: ignore[misc] # that is the claim


def test_no_secret_or_attempt_is_shown(site: Site) -> None:
    """No `repr`, which error reporters send home, shows secret or attempt."""
    shown = repr(site.work) + repr(vars(site.work)) + b64decode(solved(site.challenge())).decode()
    for hidden in (OLD, ATTEMPT):
        assert repr(hidden)[2:-1] not in shown
        assert hidden.hex() not in shown
