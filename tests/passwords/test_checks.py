"""Right and wrong passwords, renewed hashes, and stored text that is no valid hash."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import argon2 as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.passwords import (
    COSTLIER,
    Passwords,
    PasswordsBusy,
    Profile,
    UnusableHash,
    UnusablePassword,
    Verified,
)
from sekisho.read.names import SECRET_BYTES_MAX
from tests.passwords.watching import CHEAP, Argon2

PASSWORD = "an old pond, a frog"
OLD, NEW = Profile(1, 64, 1), Profile(2, 64, 1)
SALT, TAG = "c2FsdCBvZiBzaXh0ZWVu", "dGFnIG9mIHRoaXJ0eS10d28gYnl0ZXMsIGFsbCBvZiA"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)


@given(password=TEXT, other=TEXT)
@settings(max_examples=40, deadline=None)
def test_the_right_password_is_right_and_every_other_is_wrong(password: str, other: str) -> None:
    """The right password alone is right, to the last byte: no trimming, folding or cut at a NUL."""

    async def check() -> None:
        passwords = Passwords(CHEAP)
        stored = await passwords.hash(password)
        assert await passwords.verify(stored, password)
        assert bool(await passwords.verify(stored, other)) is (password == other)
        assert not await passwords.verify(stored, password + "\0")
        await passwords.aclose()

    asyncio.run(check())


async def test_hashes_of_argon2_cffi_are_understood_and_the_other_way_round() -> None:
    """Hashes of argon2-cffi are accepted and ours are accepted by it, so a service can change either way."""
    theirs = reference.PasswordHasher(time_cost=1, memory_cost=64, parallelism=2)
    passwords = Passwords(Profile(1, 64, 2))
    assert await passwords.verify(theirs.hash(PASSWORD), PASSWORD) == Verified(right=True, new_hash=None)
    made = await passwords.hash(PASSWORD)
    assert theirs.verify(made, PASSWORD)
    assert not theirs.check_needs_rehash(made)


async def test_two_hashes_of_one_password_differ() -> None:
    """Two hashes of one password have different salts."""
    passwords = Passwords(CHEAP)
    assert await passwords.hash(PASSWORD) != await passwords.hash(PASSWORD)


def test_what_is_wrong_is_false() -> None:
    """A wrong result is false in `if await passwords.verify(…)`."""
    assert not Verified(right=False)
    assert Verified(right=True)


# Renewal.


@pytest.mark.parametrize(
    "old",
    [OLD, Profile(2, 32, 1), Profile(2, 64, 2), Profile(2, 64, 1, tag_bytes=16), Profile(2, 64, 1, salt_bytes=8)],
    ids=["passes", "memory", "lanes", "tag", "salt"],
)
async def test_a_right_password_on_an_old_hash_brings_a_new_one(old: Profile) -> None:
    """A right password on an outdated hash returns a new hash of the same password in today's profile."""
    stored = await Passwords(old).hash(PASSWORD)
    passwords = Passwords(NEW)

    checked = await passwords.verify(stored, PASSWORD)

    assert checked.right
    assert checked.new_hash is not None
    assert not reference.PasswordHasher(2, 64, 1).check_needs_rehash(checked.new_hash)
    assert await passwords.verify(checked.new_hash, PASSWORD) == Verified(right=True, new_hash=None)


async def test_a_hash_is_renewed_after_the_answer_where_somebody_stores_it() -> None:
    """With a store function a hash is renewed after the answer: behind a step-up the delay would reveal a right
    password.
    """
    stored = await Passwords(OLD).hash(PASSWORD)
    passwords = Passwords(NEW)
    kept: list[str] = []

    checked = await passwords.verify(stored, PASSWORD, renew=kept.append)

    assert (checked, kept) == (Verified(right=True, new_hash=None), [])
    await passwords.aclose()
    assert [await passwords.verify(new, PASSWORD) for new in kept] == [Verified(right=True, new_hash=None)]


async def test_a_coroutine_may_store_it_and_its_error_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    """The store function may be a coroutine; its error is logged by type alone, as its text may quote the hash."""
    stored = await Passwords(OLD).hash(PASSWORD)
    passwords = Passwords(NEW)

    async def renew(new: str) -> None:
        raise LookupError(new)

    assert await passwords.verify(stored, PASSWORD, renew=renew)
    await passwords.aclose()
    assert "a password's new hash was not stored: LookupError" in caplog.text
    assert "argon2id" not in caplog.text


@pytest.mark.parametrize(("made_with", "password"), [(NEW, PASSWORD), (OLD, "wrong")])
async def test_nothing_is_renewed_that_need_not_or_must_not_be(made_with: Profile, password: str) -> None:
    """A current hash, and one tried with a wrong password, are not renewed."""
    stored = await Passwords(made_with).hash(PASSWORD)
    passwords = Passwords(NEW)
    kept: list[str] = []

    await passwords.verify(stored, password, renew=kept.append)

    await passwords.aclose()
    assert kept == []


async def test_a_right_password_costs_what_a_wrong_one_does_where_the_hash_is_renewed_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With later renewal right and wrong passwords cost the same: both make up for a cheaper stored hash."""
    stored = await Passwords(OLD).hash(PASSWORD)
    argon2, passwords = Argon2(monkeypatch), Passwords(NEW)
    made = []
    for password in (PASSWORD, "wrong"):
        argon2.asked.clear()
        found = await passwords.verify(stored, password, renew=lambda _: None)
        made.append(list(argon2.asked))
        assert found.right == (password == PASSWORD)
        await passwords.aclose()
    assert made[0] == made[1]
    assert sum(one.work_kib for one in made[0]) == NEW.work_kib


async def test_a_wrong_password_brings_no_new_hash() -> None:
    """A wrong password returns no new hash, or a guess would become the password."""
    assert await Passwords(NEW).verify(await Passwords(OLD).hash(PASSWORD), "guess") == Verified(right=False)


async def test_a_right_password_is_right_even_if_its_hash_cannot_be_renewed_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A right password passes even if memory suffices for the check but not for the renewal."""
    stored = await Passwords(OLD).hash(PASSWORD)
    _break(monkeypatch, "hash_secret", reference.exceptions.HashingError("Memory allocation error"))
    assert await Passwords(NEW).verify(stored, PASSWORD) == Verified(right=True, new_hash=None)


# Impossible passwords.

UNUSABLE = [
    ("", "empty"),
    ("x" * (SECRET_BYTES_MAX + 1), "too_long"),
    ("x" * 1_000_000, "too_long"),
    ("池" * (SECRET_BYTES_MAX // 3 + 1), "too_long"),
    ("x" * 1_000_000 + "\ud83d", "too_long"),
    ("half \ud83d of it", "not_text"),
]
UNUSABLE_IDS = ["empty", "a byte", "a megabyte", "characters of three bytes", "a megabyte not searched", "a surrogate"]


@pytest.mark.parametrize(("password", "reason"), UNUSABLE, ids=UNUSABLE_IDS)
@pytest.mark.parametrize("known", [True, False])
async def test_what_no_account_can_have_is_refused_before_anything_is_computed(
    argon2: Argon2, password: str, reason: str, known: bool
) -> None:
    """Row 88: an impossible password (a megabyte) is refused before any hash, for known and unknown accounts."""
    passwords = Passwords(CHEAP)
    stored = await passwords.hash(PASSWORD) if known else None
    argon2.forget()

    with pytest.raises(UnusablePassword) as refused:
        await passwords.verify(stored, password)

    assert (argon2.asked, passwords.checks) == ([], 0)
    assert refused.value.reason == reason
    assert str(refused.value) == f"the password cannot be used: {reason}"


@pytest.mark.parametrize(("password", "reason"), UNUSABLE, ids=UNUSABLE_IDS)
async def test_nor_can_it_be_given_to_one(argon2: Argon2, password: str, reason: str) -> None:
    """Sign-up and change refuse the same passwords as log-in."""
    with pytest.raises(UnusablePassword) as refused:
        await Passwords(CHEAP).hash(password)
    assert (refused.value.reason, argon2.asked) == (reason, [])


async def test_the_longest_password_is_as_long_as_the_guard_reads() -> None:
    """The longest password has 4,096 bytes, the guard's own bound."""
    passwords = Passwords(CHEAP)
    longest = "x" * SECRET_BYTES_MAX
    assert await passwords.verify(await passwords.hash(longest), longest)


async def test_an_unusable_password_does_not_travel_in_its_error() -> None:
    """No UnicodeEncodeError, whose `object` would be the password, is attached to the error."""
    with pytest.raises(UnusablePassword) as refused:
        await Passwords(CHEAP).verify(None, "secret \ud83d secret")
    assert refused.value.__context__ is None


# Invalid stored hashes.

FOREIGN = {
    "nothing": "",
    "argon2i": f"$argon2i$v=19$m=64,t=1,p=1${SALT}${TAG}",
    "argon2d": f"$argon2d$v=19$m=64,t=1,p=1${SALT}${TAG}",
    "argon2id before 1.3": f"$argon2id$v=16$m=64,t=1,p=1${SALT}${TAG}",
    "bcrypt": "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "Django's pbkdf2": "pbkdf2_sha256$600000$salt$Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMDA=",
    "the password itself": "hunter2",
}
SOUND = f"$argon2id$v=19$m=64,t=1,p=1${SALT}${TAG}"
DAMAGED = {
    "a blank behind": f"{SOUND} ",
    "a newline behind": f"{SOUND}\n",
    "cut to 64 characters": SOUND[:64],
    "tag cut off by two bytes": SOUND[:-3],
    "no tag": f"$argon2id$v=19$m=64,t=1,p=1${SALT}$",
    "no memory": f"$argon2id$v=19$m=0,t=1,p=1${SALT}${TAG}",
    "less memory than lanes need": f"$argon2id$v=19$m=63,t=1,p=8${SALT}${TAG}",
    "no pass": f"$argon2id$v=19$m=64,t=0,p=1${SALT}${TAG}",
    "other order": f"$argon2id$v=19$t=1,m=64,p=1${SALT}${TAG}",
    "digits of another script": f"$argon2id$v=19$m=٦٤,t=1,p=1${SALT}${TAG}",
    "bits beyond the last byte": SOUND[:-1] + "B",
    "no length of base64": f"$argon2id$v=19$m=64,t=1,p=1${SALT[:-3]}${TAG}",
    "a short salt": f"$argon2id$v=19$m=64,t=1,p=1$c2Fsd${TAG}",
}
COSTLY = {
    "terabytes": f"$argon2id$v=19$m=4294967295,t=1,p=1${SALT}${TAG}",
    "passes for ever": f"$argon2id$v=19$m=64,t=4294967295,p=1${SALT}${TAG}",
    "a thread a lane": f"$argon2id$v=19$m=65536,t=1,p=255${SALT}${TAG}",
}


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        pytest.param(stored, reason, id=name)
        for reason, texts in (("foreign", FOREIGN), ("damaged", DAMAGED), ("costly", COSTLY))
        for name, stored in texts.items()
    ],
)
async def test_what_is_no_hash_is_an_error_and_no_wrong_password(argon2: Argon2, stored: str, reason: str) -> None:
    """An invalid stored hash is an error, not a wrong password: nothing is computed and none of it is shown."""
    with pytest.raises(UnusableHash) as refused:
        await Passwords(CHEAP).verify(stored, PASSWORD)
    assert refused.value.reason == reason
    assert argon2.asked == []
    assert str(refused.value) == f"the stored hash cannot be used: {reason}"


async def test_the_sound_one_among_them_is_checked() -> None:
    """The valid hash from which the damaged ones were made is checked normally."""
    assert not await Passwords(CHEAP).verify(SOUND, PASSWORD)


@given(at=st.integers(0, len(SOUND) - 1), character=st.characters(), cut=st.integers(0, len(SOUND)))
@settings(max_examples=200, deadline=None)
def test_damage_of_any_kind_is_an_error_or_wrong(at: int, character: str, cut: int) -> None:
    """A hash with a changed character or a cut end is an error or wrong, and takes no more than it may."""

    async def check() -> None:
        passwords = Passwords(CHEAP, decoy=Profile(1, 128, 1))
        for stored in (SOUND[:at] + character + SOUND[at + 1 :], SOUND[:cut]):
            with suppress(UnusableHash):
                assert not await passwords.verify(stored, PASSWORD)
        await passwords.aclose()

    asyncio.run(check())


async def test_a_hash_costlier_than_the_defaults_ever_were_is_believed_when_declared() -> None:
    """A hash costlier than the defaults ever were is accepted once declared, by the line that the error shows."""
    large = Profile(1, 128 * 1024, 1)
    stored = await Passwords(large).hash(PASSWORD)
    with pytest.raises(UnusableHash, match="costly"):
        await Passwords(CHEAP).verify(stored, PASSWORD)
    assert (await Passwords(CHEAP, decoy=large).verify(stored, PASSWORD)).new_hash


# Failures of argon2.


def _break(monkeypatch: pytest.MonkeyPatch, function: str, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(reference.low_level, function, fail)


async def test_want_of_memory_is_no_wrong_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Lack of memory is no wrong password, although argon2-cffi raises a parent class: logged, and the client waits."""
    passwords = Passwords(CHEAP)
    stored = await passwords.hash(PASSWORD)
    _break(monkeypatch, "verify_secret", reference.exceptions.VerificationError("Memory allocation error"))
    _break(monkeypatch, "hash_secret", reference.exceptions.HashingError("Memory allocation error"))
    for ask in (passwords.verify(stored, PASSWORD), passwords.verify(None, PASSWORD), passwords.hash(PASSWORD)):
        with pytest.raises(PasswordsBusy):
            await ask
    assert caplog.messages == ["argon2 could not compute a hash: Memory allocation error"] * 3


# Visible text.


async def test_nothing_that_is_printed_holds_a_password_or_a_hash(caplog: pytest.LogCaptureFixture) -> None:
    """No result, error, `repr` or verbose log shows a password or a hash."""
    caplog.set_level(logging.DEBUG)
    passwords = Passwords(NEW, threads=1, waiting_max=0)
    stored = await Passwords(OLD).hash(PASSWORD)
    costlier = await Passwords(Profile(3, 64, 1)).hash(PASSWORD)
    checked = await passwords.verify(stored, PASSWORD)
    assert await passwords.verify(costlier, PASSWORD)

    printed = [repr(passwords), repr(vars(passwords)), repr(checked), str(checked)]
    for hopeless, password in ((stored[:-1], PASSWORD), (stored, PASSWORD + "\ud800")):
        with pytest.raises((UnusableHash, UnusablePassword)) as refused:
            await passwords.verify(hopeless, password)
        printed += [repr(refused.value), str(refused.value)]

    salts_and_tags = [part for made in (stored, costlier, checked.new_hash or "") for part in made.split("$")[-2:]]
    for text in printed + caplog.messages:
        assert not any(secret in text for secret in (PASSWORD, *salts_and_tags))


async def test_what_reports_of_errors_print_of_a_scope_holds_them_only_under_their_names(argon2: Argon2) -> None:
    """Error reporters that print local variables see them only as `password` or `secret`, which they hide."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=0)
    stored = await passwords.hash(PASSWORD)
    with argon2.held():
        first = asyncio.create_task(passwords.verify(stored, PASSWORD))
        await argon2.begun(2)
        with pytest.raises(PasswordsBusy) as refused:
            await passwords.verify(stored, PASSWORD)
    await first

    frames = [entry.frame for entry in refused.traceback if "/sekisho/passwords/" in str(entry.path)]
    printed = [repr(value) for frame in frames for name, value in frame.f_locals.items() if name not in NAMED]
    assert len(printed) > len(frames) > 2
    assert not any(secret in text for text in printed for secret in (PASSWORD, stored[-43:]))


NAMED = {"password", "secret", "stored"}


async def test_the_operator_is_told_once_that_old_hashes_give_accounts_away(caplog: pytest.LogCaptureFixture) -> None:
    """The operator is told once that old hashes reveal accounts: costlier than the decoy, their refusals are slower."""
    passwords = Passwords(OLD)
    stored = await Passwords(NEW).hash(PASSWORD)
    for _ in range(3):
        await passwords.verify(stored, "guess")
    assert caplog.messages == [COSTLIER]
