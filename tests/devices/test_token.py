"""Device tokens: what makes one valid, and everything that makes it void."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sekisho.devices.token import ACCOUNTS_MAX, PRESENTED_CHARS_MAX, DeviceTokens, Token, browser_family
from sekisho.model import Device

DAY = 86_400
NOW = 1_700_000_000
CHROME, FIREFOX = 4, 3
OLD, NEW = b"o" * 32, b"n" * 32
TOKENS = DeviceTokens([OLD], days=180)


def issued(
    account: str = "Alice",
    *,
    by: DeviceTokens = TOKENS,
    presented: str = "",
    token: Token | None = None,
    device_class: Device = Device.SEEN,
    fresh: bytes = b"device-1",
    now_s: int = NOW,
    family: int = CHROME,
) -> str:
    """The token that a device gets after a success."""
    return by.renewed(presented, account, token, device_class=device_class, family=family, now_s=now_s, fresh=fresh)


def found(
    presented: str, account: str = "Alice", *, by: DeviceTokens = TOKENS, family: int = CHROME, now_s: int = NOW
) -> Token | None:
    return by.find(presented, account, family, now_s)


def packed(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_what_was_handed_out_is_known_again() -> None:
    """An issued token is recognised with its device id, class and age."""
    assert found(issued(), now_s=NOW + 5) == Token(b"device-1", 0, Device.SEEN, NOW)


@pytest.mark.parametrize("other", ["alice", "ALICE", "Alice ", "Alicе", "bob", ""])
def test_it_is_good_for_its_own_account_exactly_as_the_application_reads_it(other: str) -> None:
    """A token holds for the exact account: registering `alice` gives nothing at `Alice`."""
    assert found(issued("Alice"), other) is None


@pytest.mark.parametrize("at", range(len(packed(issued()))))
def test_one_flipped_bit_anywhere_makes_it_worthless(at: int) -> None:
    """One flipped bit anywhere makes a token void: its holder chooses neither class, age, device nor account."""
    raw = packed(issued())

    for bit in range(8):
        assert found(text(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])) is None


def test_a_class_cannot_be_claimed() -> None:
    """The seal of one class does not fit the body of another."""
    seen = packed(issued())
    proved = packed(issued(device_class=Device.PROVED))
    assert seen[1] != proved[1]

    assert found(text(proved[:-16] + seen[-16:])) is None


def test_a_token_sealed_by_another_service_is_worthless() -> None:
    """A token sealed by another service's key, or by a plain digest, is void."""
    body = packed(issued())[:-16]

    assert found(issued(by=DeviceTokens([b"x" * 32], days=180))) is None
    assert found(text(body + blake2b(body, digest_size=16).digest())) is None


def test_a_new_secret_in_front_keeps_old_tokens_good_and_signs_the_next() -> None:
    """A new secret signs the next token; tokens of the old one stay valid until it is removed."""
    both, new_alone = DeviceTokens([NEW, OLD], days=180), DeviceTokens([NEW], days=180)
    old = issued()
    held = found(old, by=both)

    renewed = issued(by=both, presented=old, token=held)

    assert held is not None
    assert found(renewed, by=both) == held._replace(generation=1)
    assert packed(renewed)[0] == packed(issued(by=new_alone))[0]
    assert found(old, by=new_alone) is None


def test_secrets_whose_key_ids_collide_still_verify() -> None:
    """Two secrets whose one-byte key ids collide both verify."""
    twin = next(
        secret
        for secret in (b"%032d" % n for n in range(10_000))
        if packed(issued(by=DeviceTokens([secret], days=1)))[0] == packed(issued())[0]
    )
    # The oldest secret names accounts, so it stays last, as in a rotation.
    rotated = DeviceTokens([twin, OLD], days=180)
    foreign = DeviceTokens([twin], days=180)

    assert found(issued(), by=rotated) is not None
    assert found(issued(by=rotated), by=rotated) is not None
    assert found(issued(), by=foreign) is None


@pytest.mark.parametrize(
    ("age_s", "good"), [(0, True), (180 * DAY - 1, True), (180 * DAY, False), (-2 * DAY, True), (-2 * DAY - 1, False)]
)
def test_it_is_good_for_its_days_and_not_before_it_was_made(age_s: int, good: bool) -> None:
    """A token is void after its days, and if it is dated more than two days in the future."""
    assert (found(issued(), now_s=NOW + age_s) is not None) is good


@pytest.mark.parametrize(("age_s", "dated_s"), [(0, NOW), (-300, NOW), (-301, 1), (-2 * DAY, 1)])
def test_a_token_of_a_clock_that_was_set_back_is_older_than_any_change(age_s: int, dated_s: int) -> None:
    """A known device stays known, and a thief's token from the future does not outlive a change of the password."""
    token = found(issued(), now_s=NOW + age_s)
    assert token is not None
    assert token.issued_s == dated_s


def test_another_browser_family_demotes_it_by_one_class() -> None:
    """In another browser family a token, probably stolen, loses one class: proved becomes seen, seen becomes none."""
    proved = found(issued(device_class=Device.PROVED), family=FIREFOX)

    assert proved is not None
    assert proved.device_class is Device.SEEN
    assert found(issued(device_class=Device.SEEN), family=FIREFOX) is None


def test_renewal_keeps_the_device_and_raises_the_generation() -> None:
    """Renewal keeps the device's bucket and raises the generation, so an older token shown later is a copy."""
    first = issued()

    second = found(issued(presented=first, token=found(first), fresh=b"unused!!", now_s=NOW + DAY), now_s=NOW + DAY)

    assert second == Token(b"device-1", 1, Device.SEEN, NOW + DAY)


def log_in_again(presented: str, *, family: int = CHROME, now_s: int = NOW) -> str:
    """A log-in by password alone: the new token has the class that was found."""
    token = found(presented, family=family, now_s=now_s)
    assert token is not None
    return issued(presented=presented, token=token, device_class=token.device_class, family=family, now_s=now_s)


def test_a_proved_device_stays_proved_through_renewals() -> None:
    """A proved device stays proved through renewals by password, unless it stays away too long."""
    token = issued(device_class=Device.PROVED)
    for times in range(1, 21):
        token = log_in_again(token, now_s=NOW + times * 100 * DAY)

    assert found(token, now_s=NOW + 2000 * DAY) == Token(b"device-1", 20, Device.PROVED, NOW + 2000 * DAY)


def test_a_demoted_device_does_not_rise_by_going_home() -> None:
    """A device demoted in another browser family stays seen, in any browser, until a factor is shown."""
    elsewhere = log_in_again(issued(device_class=Device.PROVED), family=FIREFOX)
    here = found(elsewhere, family=FIREFOX)

    assert here is not None
    assert here.device_class is Device.SEEN
    assert found(elsewhere, family=CHROME) is None
    proved = issued(presented=elsewhere, token=here, device_class=Device.PROVED, family=FIREFOX)
    assert found(proved, family=FIREFOX) == Token(b"device-1", 2, Device.PROVED, NOW)


def test_without_a_token_the_device_is_new() -> None:
    """Without a token the device is new: its id is the fresh randomness, its generation the first."""
    assert found(issued(fresh=b"12345678")) == Token(b"12345678", 0, Device.SEEN, NOW)


def test_a_browser_is_remembered_for_five_accounts() -> None:
    """A browser holds tokens of five accounts; a sixth log-in drops the least recently used one."""
    jar = ""
    for account in ("a", "b", "c", "d", "e"):
        jar = issued(account, presented=jar)
    jar = issued("a", presented=jar, token=found(jar, "a"))

    jar = issued("f", presented=jar)

    assert [account for account in "abcdef" if found(jar, account)] == ["a", "c", "d", "e", "f"]
    assert len(jar.split(".")) == ACCOUNTS_MAX
    assert len(jar) <= PRESENTED_CHARS_MAX


def test_forgeries_are_not_handed_back() -> None:
    """Forged tokens are not handed back, so they cannot push genuine ones out of the cookie."""
    genuine = issued("b")
    forged = [text(bytes([n]) * len(packed(genuine))) for n in range(4)]

    jar = issued("a", presented=".".join([*forged, genuine]))

    assert len(jar.split(".")) == 2
    assert found(jar, "b") is not None


def test_it_names_its_account_to_nobody_without_the_key() -> None:
    """A token names its account to nobody without the key: it has neither the name nor a plain digest of it."""
    raw = packed(issued("hana@example.jp"))

    assert b"hana" not in raw
    assert blake2b(b"hana@example.jp", digest_size=12).digest() not in raw
    assert packed(issued("hana@example.jp", by=DeviceTokens([NEW], days=180)))[19:31] != raw[19:31]


def test_a_lone_surrogate_is_an_account_like_another() -> None:
    """An account with a lone surrogate (possible in JSON) is digested without an error."""
    assert found(issued("\ud800"), "\ud800") is not None


garbage = st.one_of(
    st.text(max_size=400),
    st.text("AZaz09-_.=", max_size=400),
    st.lists(st.binary(max_size=60).map(text), max_size=8).map(".".join),
    st.binary(min_size=47, max_size=47).map(text),
)


@given(garbage, st.text(max_size=20))
@example("." * PRESENTED_CHARS_MAX, "")
@example("é" * 63, "a")
@example("=" * 63, "a")
@example("A" * 1_000_000, "a")
def test_whatever_is_presented_is_bounded_work_and_no_error(presented: str, account: str) -> None:
    """Any cookie is bounded work: nothing raises, nothing forged is believed, and the next cookie is no longer."""
    assert found(presented, account) is None

    assert len(issued(account, presented=presented)) < PRESENTED_CHARS_MAX
    assert found(issued(account, presented=presented), account) is not None


@pytest.mark.parametrize("rest", ["é" * 61, "=" * 61, "!" * 61, "A" + "!" * 60, "A" * 61, ""])
def test_what_begins_like_a_token_of_ours_is_bounded_work_and_no_error(rest: str) -> None:
    """A forgery with the start of a genuine token is bounded work and no error either."""
    shown = ".".join([issued()[:2] + rest] * ACCOUNTS_MAX)

    assert found(shown) is None
    assert not TOKENS.has_genuine(shown, NOW)


@given(
    place=st.integers(0, ACCOUNTS_MAX - 1),
    by=st.sampled_from([OLD, NEW]),
    device_class=st.sampled_from([each for each in Device if each is not Device.STRANGER]),
    account=st.text(max_size=20),
    forged=st.binary(min_size=47, max_size=47),
)
def test_a_genuine_token_is_found_among_whatever_else(
    place: int, by: bytes, device_class: Device, account: str, forged: bytes
) -> None:
    """A genuine token among junk is found, for any account, secret and class."""
    token = issued(account, by=DeviceTokens([by], days=180, oldest=OLD), device_class=device_class)
    jar = [text(forged)] * ACCOUNTS_MAX
    jar[place] = token
    both = DeviceTokens([NEW, OLD], days=180)

    assert not both.has_genuine(".".join([text(forged)] * ACCOUNTS_MAX), NOW)
    assert found(".".join(jar), account, by=both) is not None


@pytest.mark.parametrize("junk", ["", "x", text(bytes(47)), text(b"\xff" * 47)])
def test_a_genuine_token_behind_junk_passes_the_shed(junk: str) -> None:
    """Tokens pass the shed by the first one that begins as ours do; what begins otherwise is left out."""
    assert TOKENS.has_genuine(".".join([junk, issued(), issued("another")]), NOW)


def test_the_first_token_of_ours_decides_at_the_shed() -> None:
    """A forged token in front of a genuine one is refused there: or five forged ones would cost five signatures."""
    forged = issued()[:40] + "A" * 23
    assert not TOKENS.has_genuine(".".join([forged] * ACCOUNTS_MAX), NOW)
    assert not TOKENS.has_genuine(f"{forged}.{issued()}", NOW)
    assert TOKENS.has_genuine(f"{issued()}.{forged}", NOW)
    assert found(f"{forged}.{issued('Bob')}", "Bob") is not None


def test_what_was_handed_out_over_a_rotation_passes_the_shed() -> None:
    """A jar is led by the token that was signed last, so an older secret's tokens behind it do not matter."""
    before = issued("Bob", by=DeviceTokens([OLD], days=180))
    both, after = DeviceTokens([NEW, OLD], days=180), DeviceTokens([NEW], days=180)
    jar = issued(by=both, presented=before)
    assert jar.count(".") == 1
    assert both.has_genuine(before, NOW)
    assert both.has_genuine(jar, NOW)
    assert after.has_genuine(jar, NOW)


def test_more_than_a_full_jar_is_not_even_split() -> None:
    """A cookie longer than a full jar is not even split."""
    assert found(".".join([issued()] * (ACCOUNTS_MAX + 1))) is None
    assert found(".".join([issued()] * ACCOUNTS_MAX)) is not None


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        (b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", CHROME),
        (b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/127.0 Safari/537.36", CHROME),
        (b"Mozilla/5.0 (iPhone) AppleWebKit/605 CriOS/126.0 Mobile Safari/604.1", CHROME),
        (b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", FIREFOX),
        (b"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", 1),
        (b"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 OPR/112.0", 2),
        (b"Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15", 5),
        (b"curl/8.5.0", 0),
        (b"", 0),
    ],
)
def test_a_browser_keeps_its_family_through_updates(user_agent: bytes, family: int) -> None:
    """A browser keeps its family through updates, and browsers that name Safari are told apart."""
    assert browser_family(user_agent) == family
