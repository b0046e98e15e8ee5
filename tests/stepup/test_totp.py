"""Authenticator codes: the standards' vectors, common input, and each time step once."""

from __future__ import annotations

import asyncio
from base64 import b32decode, b32encode
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.stepup.factors.totp import Totp, new_secret, provisioning_uri, qr_svg, secret_text, verify
from tests.stepup.proving import HOUR, KEYS, NOW, SEALER, Clock, in_redis, limits, memory, trial

if TYPE_CHECKING:
    from sekisho.store.vault import Vault

SECRET = b"12345678901234567890"  # from both standards
ENROLMENT = "e" * 32
RFC_4226 = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
RFC_6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
STEP = NOW // 30
CODE, EARLIER, LATER = (pyotp.HOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").at(STEP + drift) for drift in (0, -1, 1))
WRONG = "000000"


def totp(vault: Vault) -> Totp:
    return Totp(vault, KEYS, SEALER, limits(vault))


SEALED = totp(memory()).seal(SECRET, account="owner-1", enrolment=ENROLMENT)


async def accepted(
    vault: Vault,
    typed: str = CODE,
    *,
    challenge: bytes = b"challenge",
    right: bool = True,
    sealed: bytes | None = SEALED,
    now_s: int = NOW,
    account: str = "owner-1",
) -> bool:
    """One try at one worker."""
    who = trial(challenge, account=account, right=right)
    used = await totp(vault).accept(who, [(ENROLMENT, sealed)] if sealed else [], typed, now_s=now_s)
    assert used in {ENROLMENT, None}
    return used is not None


@pytest.mark.parametrize(("counter", "code"), list(enumerate(RFC_4226)))
def test_vectors_of_rfc_4226(counter: int, code: str) -> None:
    """RFC 4226, appendix D: a counter is a time step here."""
    assert verify(SECRET, code, counter * 30) == counter


@pytest.mark.parametrize(("now_s", "code"), list(RFC_6238.items()))
def test_vectors_of_rfc_6238(now_s: int, code: str) -> None:
    """RFC 6238, appendix B, SHA-1: its eight digits end in the six that apps show."""
    assert verify(SECRET, code[-6:], now_s) == now_s // 30


@pytest.mark.parametrize(("off_s", "step"), [(-60, None), (-30, STEP), (0, STEP), (30, STEP), (60, None)])
def test_clocks_may_be_one_step_apart(off_s: int, step: int | None) -> None:
    """A phone half a minute off is accepted, one a whole minute off is not, or codes would live too long."""
    assert verify(SECRET, CODE, STEP * 30 + off_s) == step


def test_there_is_no_step_before_the_first() -> None:
    """At time zero there is no step before, and no error."""
    assert verify(SECRET, RFC_4226[0], 0) == 0


FOLDED = (
    "287 082",
    " 287082 ",
    "２８７０８２",
    "２８７　０８２",
    "287\u00a0082",
    "287\u202f082",
    "2 8 7 0 8 2",
    "\t287082",
)
REFUSED = (
    *("", "28708", "2870820", "-287082", "+287082", "287-082", "287082\n", "0x2870", "２８７０８", "²87082", "٢٨٧٠٨٢"),
    *("②87082", "287082\0", "28708𝟐", " " * 100 + "287082", "2" * 100_000, "\ud800287082", "二八七〇八二"),
)


@pytest.mark.parametrize("typed", FOLDED)
def test_blanks_and_full_width_digits_are_folded(typed: str) -> None:
    """Blanks and full-width digits are folded, as Japanese keyboards and copied text have them."""
    assert verify(SECRET, typed, 59) == 1


@pytest.mark.parametrize("typed", REFUSED)
async def test_everything_else_is_refused_and_is_no_try(typed: str) -> None:
    """Input that cannot be a code is refused, costs no try and asks the store nothing."""
    vault = memory()
    assert verify(SECRET, typed, 59) is None
    assert not await accepted(vault, typed)
    assert vault.steps == []


@given(st.text(max_size=80), st.integers(0, 2**40))
def test_no_text_and_no_time_raises(typed: str, now_s: int) -> None:
    """No text and no time raises, and only codes of near steps are accepted."""
    step = verify(SECRET, typed, now_s)
    assert step is None or abs(step - now_s // 30) <= 1


def test_secrets_have_160_bits_and_are_never_the_same() -> None:
    """RFC 4226, R6."""
    secrets = {new_secret() for _ in range(100)}
    assert {len(secret) for secret in secrets} == {20}
    assert len(secrets) == 100


def test_a_secret_can_be_typed_into_an_app() -> None:
    """A secret can be typed: an owner who enrols on the phone itself cannot scan its screen."""
    assert secret_text(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert b32decode(secret_text(SECRET).replace(" ", "")) == SECRET


@pytest.mark.parametrize(
    ("issuer", "account"),
    [
        ("Shop", "alice@example.com"),
        ("関所 & Söhne", "山田?secret=AAAA&issuer=Bank#x"),
        ("a/b", "100% <script>"),
        ("Shop", "a+b@example.com"),
    ],
)
def test_the_uri_reads_back_as_it_was_meant(issuer: str, account: str) -> None:
    """No account name changes secret or issuer of the URI."""
    uri = provisioning_uri(SECRET, issuer=issuer, account=account)
    app = pyotp.parse_uri(uri)
    assert isinstance(app, pyotp.TOTP)
    assert (app.issuer, app.name, b32decode(app.secret)) == (issuer, account, SECRET)
    assert app.at(59) == "287082"
    assert uri.startswith("otpauth://totp/")
    assert uri.count("/") == 3
    assert uri.isascii()


def test_no_account_can_name_an_issuer() -> None:
    """No account can name an issuer: apps split at a colon, escaped or not, so `Bank:alice` must not be filed under
    Bank.
    """
    uri = provisioning_uri(SECRET, issuer="Shop: Tokyo", account="Bank:alice")
    assert uri.startswith("otpauth://totp/Shop%20%20Tokyo:Bank%20alice?")


def test_a_code_of_the_longest_names_can_still_be_made() -> None:
    """The longest names (a thousand four-byte characters, or broken ones) are cut, and the QR code is still drawn."""
    for name in ("😀" * 1_024, "\ud800" * 1_024):
        assert qr_svg(provisioning_uri(SECRET, issuer=name, account=name)).startswith("<svg")


def test_the_picture_needs_nothing_from_outside() -> None:
    """The QR code is one `svg` of two shapes, dark on white, four quiet modules: no script, style, link or
    reference.
    """
    svg = qr_svg(provisioning_uri(SECRET, issuer="Shop", account="alice"))
    drawn = ET.fromstring(svg)
    assert [child.tag for child in drawn] == ["path", "path"]
    assert set(drawn.attrib) == {"viewBox"}
    assert [set(child.attrib) for child in drawn] == [{"fill", "d"}, {"stroke", "d"}]
    assert drawn[0].get("fill") == "#fff"
    assert drawn[1].get("d", "").startswith("M4 4.5h7")
    assert "http" not in svg


async def test_the_right_code_proves_the_owner_once() -> None:
    """Row 79: the right code proves the owner once, in this challenge or another."""
    vault = memory()
    shown = [await accepted(vault, challenge=challenge) for challenge in (b"one", b"one", b"two")]
    assert shown == [True, False, False]


async def test_a_code_shown_in_parallel_is_accepted_once(redis_url: str) -> None:
    """Row 79: of eight workers with one code at once one accepts it, in memory and in Redis."""
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            shown = await asyncio.gather(*[accepted(vault, challenge=b"%d" % n) for n in range(8)])
            assert sum(shown) == 1


async def test_the_next_step_is_good_again_and_another_enrolment_has_its_own() -> None:
    """The next step's code is valid again, and another enrolment is not affected."""
    vault = memory()
    assert await accepted(vault)
    assert await accepted(vault, LATER)
    assert await accepted(vault, EARLIER)
    assert await totp(vault).spend("f" * 32, STEP)
    assert not await totp(vault).spend(ENROLMENT, STEP)


async def test_a_worker_whose_clock_is_an_hour_late_does_not_take_a_code_again() -> None:
    """A spent code is refused by a worker whose clock is an hour late: the mark outlives the clock skew."""
    clock = Clock()
    vault = memory(clock)
    assert await accepted(vault)
    clock.now_s += HOUR + 120
    assert not await accepted(vault, challenge=b"later", now_s=NOW)


async def test_behind_a_wrong_secret_nothing_is_proved_and_nothing_is_spent() -> None:
    """R7: behind a wrong secret nothing is proved or spent, and the owner still gets in."""
    vault = memory()
    for number in range(40):
        assert not await accepted(vault, CODE if number % 2 else WRONG, challenge=b"w%d" % (number // 4), right=False)
    assert await accepted(vault, challenge=b"owner")


async def test_wrong_guesses_end_with_the_accounts_tries() -> None:
    """Row 80: after ten wrong codes in two challenges a third refuses the right one until the hour is over."""
    clock = Clock()
    vault = memory(clock)
    for number in range(10):
        assert not await accepted(vault, WRONG, challenge=b"%d" % (number // 5))
    assert not await accepted(vault, challenge=b"third")
    clock.now_s += HOUR
    assert await accepted(vault, challenge=b"fourth")


async def test_a_wrong_code_takes_the_same_steps_whatever_is_behind_it() -> None:
    """A wrong code takes the same store steps for a right secret, a wrong one and no enrolment."""
    seen = []
    for right, sealed in ((True, SEALED), (False, SEALED), (False, None), (True, None)):
        vault = memory()
        assert not await accepted(vault, WRONG, right=right, sealed=sealed)
        seen.append(vault.steps)
    assert seen == [["count", "count", "count"]] * 4


@pytest.mark.parametrize(
    ("sealed", "account"),
    [
        (None, "owner-1"),
        (SEALED[:-1] + bytes([SEALED[-1] ^ 1]), "owner-1"),
        (SEALED, "owner-2"),
        (SEALED, "Owner-1"),
        (b"junk", "owner-1"),
    ],
)
async def test_a_missing_altered_or_moved_enrolment_proves_nothing(
    sealed: bytes | None, account: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing, altered or moved enrolment is refused like a wrong code, and the log names no account."""
    assert not await accepted(memory(), sealed=sealed, account=account)
    assert "wner-" not in caplog.text
    assert len(caplog.records) == (sealed is not None)


async def test_a_code_proves_nothing_without_an_enrolment() -> None:
    """Without an enrolment a random secret is checked, and knowing it proves nothing."""
    factor = totp(memory())
    factor._nobodys = factor.seal(SECRET, account="", enrolment="")
    assert not await factor.accept(trial(), [], CODE, now_s=NOW)


async def test_neither_secret_nor_code_nor_account_reaches_the_store(caplog: pytest.LogCaptureFixture) -> None:
    """The store holds marks and numbers under digests, and neither secret, code nor account."""
    caplog.set_level(0)
    vault = memory()
    assert await accepted(vault)
    seen = vault.contents() + caplog.text.encode()
    for kept in (SECRET, CODE.encode(), b"owner-1", ENROLMENT.encode()):
        assert kept not in seen
    assert SECRET not in SEALED


@pytest.mark.parametrize(("off_s", "step"), [(-30, None), (0, STEP), (29, STEP), (30, None)])
def test_a_site_may_accept_the_current_step_alone(off_s: int, step: int | None) -> None:
    """Without drift a code is accepted in its own half minute alone (ASVS 6.5.5)."""
    assert verify(SECRET, CODE, STEP * 30 + off_s, 0) == step


async def test_several_apps_of_an_owner_are_one_try() -> None:
    """An owner's three apps are one try: each proves, a fourth does not, and five guesses are five tries."""
    vault = memory()
    factor = totp(vault)
    secrets = [bytes([number]) * 20 for number in range(4)]
    ids = [f"{number:032x}" for number in range(4)]
    kept = [
        (id_, factor.seal(secret, account="owner-1", enrolment=id_)) for id_, secret in zip(ids, secrets, strict=True)
    ]
    shown = [pyotp.TOTP(b32encode(secret).decode()).at(NOW) for secret in secrets]
    assert [await factor.accept(trial(), kept, code, now_s=NOW) for code in shown] == [*ids[:3], None]
    vault.steps.clear()
    await factor.accept(trial(), kept, WRONG, now_s=NOW)
    assert vault.steps == ["count", "count", "count"]
