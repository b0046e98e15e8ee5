"""Challenges: exactly what was asked must be shown, once; a page's sealed form opens for its holder alone."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.challenge.captcha import TURNSTILE, Answer, Captcha, Siteverify, Solved
from sekisho.challenge.challenges import (
    BODY_BYTES_MAX,
    FORM_CHARS_MAX,
    FORM_S,
    NAMES_BYTES_MAX,
    SKEW_S,
    Challenge,
    Challenges,
    Paid,
    SealedForm,
)
from sekisho.challenge.work import Work
from sekisho.crypto.seal import Sealer, Unsealable
from sekisho.model import StoreUnavailable
from sekisho.simulate.solve import encoded, solved
from sekisho.store.vault import MemoryVault
from tests.challenge.captcha_server import SECRET, siteverify_api

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, FOREIGN = b"k" * 32, b"f" * 32
NOW_S = 1_700_000_000
ATTEMPT, OTHER = b"login, anna, this browser", b"login, ben, this browser"
PUBLIC = {"provider": "turnstile", "sitekey": "site-1"}
BROWSER_KEY = "a" * 22


class Says:
    """A captcha with a fixed answer that records what it was asked."""

    def __init__(self, answer: Answer | Callable[[str], Answer]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    async def check(self, token: str, *, address: str = "") -> Answer:
        self.asked.append((token, address))
        return self.answer(token) if callable(self.answer) else self.answer


def vault() -> MemoryVault:
    return MemoryVault(entries_max=100, bytes_max=1 << 20, clock_s=lambda: NOW_S)


def challenges(captcha: Captcha | None = None, *, kept: MemoryVault | None = None, key: bytes = KEY) -> Challenges:
    work = Work([key], vault() if kept is None else kept, clock_s=lambda: NOW_S)
    return Challenges(work, captcha, Sealer([key], clock_s=time.time), captcha_public=PUBLIC if captcha else None)


def work_for(one: Challenges, bound_to: bytes = ATTEMPT) -> str:
    """Solved cheap work: these tests are not about difficulty."""
    assert one._work is not None
    return solved(json.loads(one._work.challenge(bound_to, 256).text))


def cost(asked: Challenge) -> int:
    assert asked.work is not None
    found: int = json.loads(asked.work.text)["parameters"]["cost"]
    return found


async def paid(one: Challenges, work: str = "", captcha: str = "", bound_to: bytes = ATTEMPT) -> bool:
    return await one.paid(work=work, captcha=captcha, bound_to=bound_to, address="192.0.2.1") is not None


def test_without_a_captcha_work_is_all_that_is_asked() -> None:
    """Without a captcha, work alone is asked for, as members that JSON takes."""
    asked = challenges().ask(ATTEMPT, 0, 0.0)

    assert not asked.captcha
    assert cost(asked) * 256 >= 250_000


def test_a_captcha_brings_its_stand_in_along() -> None:
    """A captcha is asked for together with work, so a page whose captcha fails to load need not ask again."""
    asked = challenges(Says(None)).ask(ATTEMPT, 0, 0.0)

    assert cost(asked) * 256 >= 250_000
    assert asked.captcha == PUBLIC


def test_more_is_asked_where_more_come() -> None:
    """A stricter posture and a fuller service both raise the difficulty."""
    calm, full, attack = (cost(challenges().ask(ATTEMPT, *now)) for now in ((0, 0.0), (0, 0.95), (2, 0.0)))

    assert calm < full
    assert calm < attack


async def test_where_nothing_is_asked_nothing_is_paid() -> None:
    """A site without work asks for none and accepts none."""
    none = Challenges(None, None, Sealer([KEY], clock_s=time.time), captcha_public=None)

    assert none.ask(ATTEMPT, 2, 1.0) == (None, {})
    assert not await paid(none, work_for(challenges()), "token")


@pytest.mark.parametrize(("work", "public"), [(None, PUBLIC), (Work([KEY], vault(), clock_s=time.time), None)])
def test_a_captcha_is_never_alone(work: Work | None, public: dict[str, str] | None) -> None:
    """A captcha needs work beside it, or its outage would lock everyone out."""
    with pytest.raises(ValueError, match="a captcha needs work as a fallback, and the values that its page shows"):
        Challenges(work, Says(None), Sealer([KEY], clock_s=time.time), captcha_public=public)


async def test_work_pays_once_and_for_its_attempt_alone() -> None:
    """Work pays once, for its own door, account and browser: one account's work buys no try at the next."""
    one = challenges()
    work = work_for(one)

    assert not await paid(one, work, bound_to=OTHER)
    assert await paid(one, work)
    assert not await paid(one, work)


async def test_a_solved_captcha_pays_and_leaves_work_unused() -> None:
    """A solved captcha pays and leaves the work unused; the provider is told the client's address."""
    captcha = Says(Solved("turnstile"))
    one, without = challenges(captcha), challenges()
    work = work_for(one)

    assert await paid(one, work, "token")
    assert captcha.asked == [("token", "192.0.2.1")]
    assert await paid(without, work)


async def test_a_solved_captcha_brings_the_receipt_by_its_puzzle() -> None:
    """The puzzle beside a captcha brings its receipt back unsolved, once, and only with a captcha that was solved."""
    said: list[Answer] = [False, None, Solved("turnstile"), Solved("turnstile"), Solved("turnstile")]
    one = challenges(Says(lambda _token: said.pop(0)))
    asked = one.ask(ATTEMPT, 0, 0.0, receipt=b"receipt").work
    assert asked is not None
    shown = encoded({"challenge": json.loads(asked.text)})
    found = [
        await one.paid(work=shown, captcha="token", bound_to=bound_to, address="")
        for bound_to in (ATTEMPT, ATTEMPT, OTHER, ATTEMPT, ATTEMPT)
    ]

    assert found == [None, None, Paid(b""), Paid(b"receipt"), Paid(b"")]


async def test_a_captcha_that_was_not_solved_is_not_made_up_for() -> None:
    """Work does not replace a captcha that was answered as unsolved, only one that could not be checked."""
    one = challenges(Says(answer=False))

    assert not await paid(one, work_for(one), "token")


async def test_leaving_the_token_out_is_no_way_round_a_captcha_that_answers() -> None:
    """Leaving the token out does not bypass a captcha that answers, even one that accepts every token."""
    for answer in (False, Solved("turnstile")):
        one = challenges(Says(answer))
        assert not await paid(one, work_for(one))


@pytest.mark.parametrize("token", ["", "token"])
async def test_where_nobody_can_tell_work_decides(token: str) -> None:
    """If the provider could not tell, work decides, with a token or without."""
    one = challenges(Says(None))

    assert not await paid(one, "", "token")
    assert not await paid(one, "bm90aGluZw==", token)
    assert await paid(one, work_for(one), token)


async def test_a_provider_is_not_asked_without_work_or_a_token() -> None:
    """Without work and token the provider is not asked, or a flood would take all places."""
    captcha = Says(False)
    assert not await paid(challenges(captcha), "junk")
    assert captcha.asked == []


async def test_nothing_shown_asks_nobody() -> None:
    """An empty or oversized token is not passed to the provider."""
    captcha = Says(None)
    one = challenges(captcha)

    assert not await paid(one)
    assert not await paid(one, work_for(one), "x" * 8_193)
    assert not await paid(one, "x" * 2_049, "token")
    assert captcha.asked == []


@pytest.mark.parametrize("junk", ["é", "\udc80", "[" * 2_000, "e30=", "\0"])
async def test_junk_pays_nothing_and_trips_nobody(junk: str) -> None:
    """Junk pays nothing and raises nothing."""
    assert not await paid(challenges(), junk)
    assert not await paid(challenges(Says(None)), junk, junk)


async def test_a_store_that_is_away_grants_nothing() -> None:
    """Without the store work is not accepted, as it may have been used; the caller is told why."""
    one = challenges(kept=MemoryVault(entries_max=0, bytes_max=0, clock_s=lambda: NOW_S))

    with pytest.raises(StoreUnavailable):
        await paid(one, work_for(one))


async def test_a_real_siteverify_is_heard() -> None:
    """A real siteverify socket is asked about an earned token, and about itself if no token came."""
    async with siteverify_api(speaks="turnstile") as api:
        captcha = Siteverify(
            TURNSTILE, SECRET, vault(), url=api.url, hostnames=["shop.example"], clock_s=time.monotonic
        )
        one = challenges(captcha)
        token = api.earned()

        assert await paid(one, "", token)
        assert not await paid(one, "", token)
        assert not await paid(one, work_for(one))
        await captcha.aclose()
        assert await paid(one, work_for(one))


# Forms that pages carry.

FORM = SealedForm(
    "POST /login", b"application/x-www-form-urlencoded", b"username=anna&password=hunter2", b"next=%2Fpay"
)


def sealed(one: Challenges, form: SealedForm = FORM, browser_key: str = BROWSER_KEY, now_s: int = NOW_S) -> str:
    return one.seal_form(**form._asdict(), browser_key=browser_key, now_s=now_s)


def refused(one: Challenges, text: str, browser_key: str = BROWSER_KEY, now_s: int = NOW_S, **rest: Any) -> bool:
    with pytest.raises(Unsealable) as error:
        one.open_form(text, browser_key=browser_key, now_s=now_s, **rest)
    return error.value.args == ("cannot be opened",)


forms = st.builds(SealedForm, st.text(max_size=40), st.binary(max_size=80), st.binary(max_size=2_000))
holders = st.text("abcdefghijklmnopqrstuvwxyz-_", min_size=22, max_size=22)
ages = st.integers(-SKEW_S, FORM_S - 1)
ONE = challenges()


@given(forms.filter(lambda form: form.door.isprintable()), holders, ages)
def test_a_form_comes_back_to_its_holder_in_time(form: SealedForm, browser_key: str, age_s: int) -> None:
    """A form opens byte for byte for its holder, each time that it is sent within its time."""
    text = sealed(ONE, form, browser_key)

    for door in (None, form.door):
        assert ONE.open_form(text, browser_key=browser_key, now_s=NOW_S + age_s, door=door) == form


@given(forms.filter(lambda form: form.door.isprintable()), holders, holders)
def test_a_form_opens_for_nobody_else(form: SealedForm, browser_key: str, other: str) -> None:
    """A form opens in no other browser, and in none without a holder: it must not log a victim in."""
    text = sealed(ONE, form, browser_key)

    assert other == browser_key or refused(ONE, text, other)
    assert refused(ONE, text, "")
    assert refused(ONE, text, "\udc80")


@given(st.one_of(st.integers(FORM_S, 10_000_000), st.integers(-10_000_000, -SKEW_S - 1)))
def test_a_form_is_over_after_two_minutes(age_s: int) -> None:
    """A form expires after two minutes by its sealed time; one from the future is refused."""
    assert refused(ONE, sealed(ONE), now_s=NOW_S + age_s)


@given(st.data())
def test_a_form_that_was_changed_is_none(data: st.DataObject) -> None:
    """A form with a flipped bit, a missing piece or an addition is refused."""
    raw = bytearray(urlsafe_b64decode(sealed(ONE)))
    at = data.draw(st.integers(0, len(raw) - 1))
    cut = bytes(raw[:at])
    raw[at] ^= 1 << data.draw(st.integers(0, 7))

    for changed in (bytes(raw), cut, bytes(raw) + b"\0"):
        assert refused(ONE, urlsafe_b64encode(changed).decode())


@given(st.text(max_size=400))
def test_what_was_never_sealed_is_no_form(text: str) -> None:
    """Input that was never sealed is no form."""
    assert refused(ONE, text)


def test_a_form_of_another_service_or_purpose_or_door_is_none() -> None:
    """A form of another key, purpose or door is refused, a ticket too."""
    assert refused(challenges(key=FOREIGN), sealed(ONE))
    ticket = Sealer([KEY], clock_s=time.time).seal(b"ticket", bytes(256), bound_to=b"")
    assert refused(ONE, urlsafe_b64encode(ticket).decode())
    assert refused(ONE, sealed(ONE), door="POST /admin")


def test_a_forms_length_tells_no_passwords() -> None:
    """A form's length is the same for bodies of one byte to a hundred, and its text is unreadable."""
    texts = {len(sealed(ONE, FORM._replace(body=b"x" * count))) for count in range(1, 100)}

    assert len(texts) == 1
    assert b"hunter2" not in urlsafe_b64decode(sealed(ONE))
    assert repr(FORM) == "SealedForm(...)"


def test_a_form_has_its_bounds() -> None:
    """The longest body fits, one byte more does not; a longer form than possible is not read."""
    longest = SealedForm("d" * NAMES_BYTES_MAX, b"t" * NAMES_BYTES_MAX, b"x" * BODY_BYTES_MAX, b"q" * NAMES_BYTES_MAX)
    text = sealed(ONE, longest)

    assert ONE.open_form(text, browser_key=BROWSER_KEY, now_s=NOW_S) == longest
    assert len(text) <= FORM_CHARS_MAX
    for over in (
        longest._replace(body=longest.body + b"x"),
        longest._replace(door=longest.door + "d"),
        longest._replace(content_type=longest.content_type + b"t"),
        longest._replace(query=longest.query + b"q"),
    ):
        with pytest.raises(ValueError, match="too long to be carried by a page"):
            sealed(ONE, over)
    assert refused(ONE, "A" * (FORM_CHARS_MAX + 4))
