"""All spellings of an account are one account, and different accounts stay apart."""

from __future__ import annotations

import sys
import timeit
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Unreadable
from sekisho.read import Accounts, MailPolicy, canonical
from tests.read.collations import REFUSED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bob", "BOB"),  # row 18
        ("bob", "bob "),  # row 19
        ("bob", "\u00a0bob\u3000"),
        ("bob smith", " bob \u2003 smith"),
        ("bob", "ｂｏｂ"),  # row 22
        ("fish", "ﬁsh"),
        ("kelvin", "\u212aelvin"),
        ("a@b.example", "a＠b．example"),
        ("strasse", "Straße"),
        ("é", "e\u0301"),
        ("É", "e\u0301"),
        ("admin", "a\u200bd\u2060min\ufeff"),  # row 23
        ("admin", "a\u00addmin\u034f\ufe0f\U000e0041"),
        ("admin", "\u202eadmin\u3164"),
        ("ガ", "ｶﾞ"),
        ("é", "e\u200d\u0301"),  # composes only after the joiner in between is removed
    ],
)
def test_spellings_of_one_account(one: str, other: str) -> None:
    """Spellings that some application equates are counted together."""
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("admin", "\u0430dmin"),  # row 24
        ("bob", "bob1"),
        ("bobsmith", "bob smith"),
        ("a.b@example.com", "ab@example.com"),  # row 25: no policy, no folding
        ("a+x@example.com", "a@example.com"),
        ("が", "か"),
    ],
)
def test_different_accounts(one: str, other: str) -> None:
    """Homoglyphs, and spellings that only a policy folds, stay apart."""
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("account", ["a\0b", "bob\n", "\tbob", "bob\x7f", "bob\x85", "\x9bbob", "é\x00", "\x1f"])
def test_controls_are_refused(account: str) -> None:
    """Row 23: controls are refused: NUL ends the name for some parsers and is dropped by others."""
    with pytest.raises(Unreadable, match=r"^400 account_controls$"):
        canonical(account)


@pytest.mark.parametrize("account", ["", " ", "\u200b", "\u3000\u00a0", "\u3164", "\u00ad\ufe0f"])
def test_nothing_is_no_account(account: str) -> None:
    """Row 28: an invisible name is refused: all of them would share one counter."""
    with pytest.raises(Unreadable, match=r"^400 account_empty$"):
        canonical(account)


@pytest.mark.parametrize("char", sorted(REFUSED))
def test_marks_above_nothing_are_refused(char: str) -> None:
    """A mark above no letter is refused: databases read a letter, a blank or nothing there, so it could be two
    accounts.
    """
    with pytest.raises(Unreadable, match=r"^400 account_ambiguous$"):
        canonical(f"q{char}z")


def test_a_mark_where_it_belongs_is_no_mark_above_nothing() -> None:
    """The iota below an omega, composed or not, is no mark above nothing."""
    assert canonical("τω\u0345") == canonical("τῳ")


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("\ufdfa" * 57, "account_too_long"),
        ("\ufdfa" * 1_024, "account_too_long"),
        ("é" * 1_025, "account_too_long"),
        ("ab" + "\u0301\u0316" * 511, "account_ambiguous"),
    ],
)
def test_accounts_are_bounded_as_they_are_counted(account: str, reason: str) -> None:
    """Row 26: accounts are bounded after folding: one character unfolds into eighteen, a thousand marks sort in a
    millisecond.
    """
    with pytest.raises(Unreadable, match=rf"^400 {reason}$"):
        canonical(account)


def test_names_of_many_marks_are_names() -> None:
    """Thirty marks in a row, the most of any text (UAX 15), are accepted; a name may have more elsewhere."""
    assert canonical("a" + "\u0316" * 30)
    assert canonical("ế" * 1_024)


def test_surrogates_are_refused() -> None:
    """Row 27: surrogates are refused: any later encoding would fail."""
    with pytest.raises(Unreadable, match=r"^400 not_unicode$"):
        canonical("a\ud800")


@given(st.text(max_size=30) | st.text(st.characters(max_codepoint=0x7F), max_size=30))
def test_folding_twice_changes_nothing(account: str) -> None:
    """Folding is idempotent; its result can be encoded and holds nothing invisible."""
    try:
        folded = canonical(account)
    except Unreadable:
        return
    assert canonical(folded) == folded
    assert folded.encode()
    assert not {unicodedata.category(char) for char in folded} & {"Cc", "Cf", "Cs"}


@given(st.text(min_size=1, max_size=20))
def test_case_and_blanks_never_matter(account: str) -> None:
    """Upper, lower, folded and padded spellings are the same account, or all refused."""

    def folded(text: str) -> str:
        try:
            return canonical(text)
        except Unreadable as error:
            return error.reason

    assert folded(account.casefold()) == folded(account) == folded(f"  {account}\u00a0")


def test_every_character_settles() -> None:
    """No Unicode character needs more rounds than are made."""
    for code in (*range(0x80, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000)):
        try:
            folded = canonical(f"a{chr(code)}b")
        except Unreadable:
            continue
        assert canonical(folded) == folded


POLICY = MailPolicy(frozenset({"dots.example"}), frozenset({"dots.example", "plus.example"}))


@pytest.mark.parametrize(
    ("expected", "account"),
    [
        ("ab@dots.example", "A.b+shop@Dots.Example"),
        ("a.b@plus.example", "a.b+shop+x@plus.example"),
        ("a.b+x@other.example", "a.b+x@other.example"),
        ("+x@plus.example", "+x@plus.example"),
        ("..@dots.example", "..@dots.example"),
        ("ab@dots.example", "ａ．b＠dots.example"),
        ("a.b+x", "a.b+x"),
        ("a.b@c@other.example", "a.b@c@other.example"),
    ],
)
def test_mail_policies(expected: str, account: str) -> None:
    """Row 25: mail policies fold as each domain delivers."""
    assert Accounts(POLICY).canonical(account) == expected


@given(st.text("ab.+@", max_size=8))
def test_policies_fold_once(local: str) -> None:
    """With a policy, too, folding is idempotent."""
    accounts = Accounts(POLICY)
    folded = accounts.canonical(local + "@dots.example")
    assert accounts.canonical(folded) == folded


USERS = {"alice": "7", "alice@example.com": "7", "Bob": "8", "7": "9"}


def test_aliases_are_one_account() -> None:
    """Row 20: the resolver makes user name, e-mail and telephone number one account."""
    accounts = Accounts(resolver=lambda account: USERS.get(account, ""))
    assert accounts.canonical("alice") == accounts.canonical("alice@example.com") == accounts.canonical("ALICE ")
    assert accounts.canonical("Bob") != accounts.canonical("alice")


def test_aliases_do_not_collide() -> None:
    """Row 21: a user called `7` is not the account with id 7, and unknown names are no ids."""
    accounts = Accounts(resolver=lambda account: USERS.get(account, ""))
    counted = {accounts.canonical(account) for account in ("alice", "7", "9", "8", "Bob", "id7", "bob")}
    assert len(counted) == 7


def test_the_resolver_sees_the_account_as_the_application_does() -> None:
    """The resolver gets the account as typed first, then folded."""
    asked: list[str] = []

    def resolver(account: str) -> str:
        asked.append(account)
        return ""

    Accounts(resolver=resolver).canonical(" Bob")
    assert asked == [" Bob", "bob"]


def test_a_spelling_that_only_the_database_forgives_is_the_resolvers_account() -> None:
    """A spelling that only the database forgives resolves to the id, or each accent would have its own counter."""
    accounts = Accounts(resolver=lambda account: USERS.get(account, ""))
    assert accounts.canonical("álicé") == accounts.canonical("alice")
    assert accounts.canonical("Bób") == "bób"  # known to the application as `Bob` alone


def test_limit_keys_are_given_where_they_differ() -> None:
    """A limit key is given if it differs: an id has no spelling, and a plain name is its own key."""
    accounts = Accounts(POLICY)
    assert accounts.limit_key(accounts.canonical("Hana")) == ""
    assert accounts.limit_key(accounts.canonical("hána+shop@plus.example")) == "hana@plus.example"
    assert accounts.limit_key("id\0jürgen") == ""
    assert accounts.limit_key("") == ""


@pytest.mark.parametrize("account", ["\u0301", "\u0640\u0640", "\u20dd \u0301"])
def test_accounts_of_marks_alone_are_refused(account: str) -> None:
    """Accounts of marks alone are refused: to some databases they are empty, and all would share one counter."""
    accounts = Accounts()
    with pytest.raises(Unreadable, match=r"^400 account_empty$"):
        accounts.limit_key(accounts.canonical(account))


def test_invisible_accounts_are_refused_before_the_resolver() -> None:
    """Invisible accounts are refused before the resolver is asked."""
    with pytest.raises(Unreadable):
        Accounts(resolver=lambda _: sys.exit("asked")).canonical("\0")


def test_plain_accounts_are_quick() -> None:
    """An ASCII account, the common case, takes a few hundred nanoseconds, with room for slow machines."""
    seconds = min(timeit.repeat(lambda: canonical("Alice@example.com"), number=1_000, repeat=5))
    assert seconds / 1_000 < 10e-6
