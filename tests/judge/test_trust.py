"""Trust in success rules: two different right secrets contradict each other, and a guess is only a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.judge import Belief, RuleState, RuleTrust, SuccessTrust
from sekisho.model import Attempt, Basis, DoorKind, Origin
from sekisho.read import Digests
from sekisho.settings import parse_doors

if TYPE_CHECKING:
    from sekisho.model import Charge, Door

DIGESTS = Digests([b"k" * 32])


def door(text: str = "POST /login success=302:/home", kind: DoorKind = DoorKind.LOGIN) -> Door:
    (found,) = parse_doors(kind, text, "X")
    return found


LOGIN = door()
GUESSED = door("POST /api")


def trust(*doors: Door, account_burst: int = 5, ip_burst: int = 20) -> SuccessTrust:
    return SuccessTrust(
        doors or (LOGIN, GUESSED),
        rule_key=b"r" * 32,
        account_burst=account_burst,
        ip_burst=ip_burst,
    )


def attempt(account: str = "hana", secret: str = "one", at: Door = LOGIN, ip: bytes = b"a") -> Attempt:
    return Attempt(at, Origin("203.0.113.9", (ip, b"n"), b""), account, account.casefold(), secret)


def charge(of: Attempt) -> Charge:
    return DIGESTS.charge(of)


def saw(judged: SuccessTrust, rule: RuleTrust, tried: Attempt, now_s: float) -> bool:
    return judged.saw(rule, tried, charge(tried), now_s)


def believed(judged: SuccessTrust, rule: RuleTrust, tried: Attempt) -> Belief:
    return judged.belief(rule, tried, charge(tried))


def test_one_account_with_two_secrets_raises_a_suspicion() -> None:
    """An account with two right secrets raises one suspicion: the success that raised it must test the rule."""
    judged = trust()
    rule = judged.rule(LOGIN, Basis.RULE)

    assert [saw(judged, rule, attempt(secret=secret), 0) for secret in ("one", "one", "two", "three")] == [
        False,
        False,
        True,
        False,
    ]
    assert rule.state is RuleState.SUSPECTED


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (attempt("hana", "one"), attempt("jun", "two")),
        (attempt("hana", "one"), attempt("Hana", "two")),  # another account to an application that distinguishes them
        (attempt("hana", "one"), attempt("hana", "one")),
    ],
    ids=["two accounts", "two spellings", "one secret"],
)
def test_what_may_all_be_right_raises_none(first: Attempt, second: Attempt) -> None:
    """Only two secrets of one exact account raise a suspicion."""
    judged = trust()
    rule = judged.rule(LOGIN, Basis.RULE)

    assert not saw(judged, rule, first, 0)
    assert not saw(judged, rule, second, 0)


@pytest.mark.parametrize("kind", [DoorKind.CODE, DoorKind.CHANGE, DoorKind.RESET, DoorKind.SIGNUP, DoorKind.LINK])
def test_secrets_that_are_meant_to_differ_raise_none(kind: DoorKind) -> None:
    """Codes differ each time, and a change of password changes it: neither raises a suspicion."""
    other = door("POST /other form:account,secret", kind)
    judged = trust(other)
    rule = judged.rule(other, Basis.RULE)

    assert not any(saw(judged, rule, attempt(secret=secret, at=other), 0) for secret in ("one", "two", "three"))


def test_while_it_is_tested_a_rule_gives_nothing() -> None:
    """While a rule is tested it gives neither refunds nor tokens; after clearing, both again."""
    judged = trust()
    rule = judged.rule(LOGIN, Basis.RULE)
    tried = attempt()
    saw(judged, rule, tried, 0)
    saw(judged, rule, attempt(secret="two"), 0)

    assert believed(judged, rule, tried) is Belief.NOTHING
    assert not judged.refunds(rule, tried, charge(tried), 0)

    rule.clear(0)

    assert believed(judged, rule, tried) is Belief.FULL
    assert judged.refunds(rule, tried, charge(tried), 0)


def test_a_cleared_rule_is_not_suspected_again_for_ten_minutes() -> None:
    """A cleared rule is not suspected for ten minutes, or a stranger could pause all refunds with an own account."""
    judged = trust()
    rule = judged.rule(LOGIN, Basis.RULE)
    saw(judged, rule, attempt(secret="one"), 0)
    assert saw(judged, rule, attempt(secret="two"), 0)
    rule.clear(0)

    assert not saw(judged, rule, attempt(secret="three"), 599)
    assert saw(judged, rule, attempt(secret="four"), 600)


def test_a_wrong_rule_stays_wrong_and_its_tokens_are_void() -> None:
    """A wrong rule stays wrong, and its tokens are void; other doors and rules are unaffected."""
    judged = trust()
    rule = judged.rule(LOGIN, Basis.RULE)

    assert judged.latch([rule.id]) == [rule]
    assert judged.latch([rule.id]) == []
    rule.clear(0)

    assert believed(judged, rule, attempt()) is Belief.NOTHING
    assert judged.void == {rule.id[:2]}
    assert believed(judged, judged.rule(LOGIN, Basis.REPORT), attempt()) is Belief.FULL


def test_a_rules_id_changes_with_the_rule_and_with_nothing_else() -> None:
    """A rule's id is the same in every worker, and changes with door and rule but not with the fields."""

    def rule_id(text: str) -> bytes:
        other = door(text)
        return trust(other).rule(other, Basis.RULE).id

    same = rule_id("POST /login success=302:/home")

    assert rule_id("POST /login form:user,pw success=302:/home cookies=lang") == same
    others = {
        rule_id(f"POST {path} success={rule}")
        for path in ("/login", "/token")
        for rule in ("302", "303:/home", "302:/", "cookie:home", "json:home", "302:/home|303")
    }
    assert len(others) == 12
    assert same not in others


def test_what_one_worker_finds_others_hear() -> None:
    """Workers share which rules are wrong or proved by an operator, and ignore unknown ones."""
    one, two = trust(), trust()
    one.latch([one.rule(LOGIN, Basis.RULE).id])
    one.prove([one.rule(GUESSED, Basis.GUESS).id])

    news = two.hear([*one.statements, b"w12345678", b"", b"x"])

    assert [rule.door for rule in news] == [LOGIN]
    assert two.rule(LOGIN, Basis.RULE).belief is Belief.NOTHING
    assert two.rule(GUESSED, Basis.GUESS).belief is Belief.FULL
    assert two.hear(one.statements) == []


def test_a_guess_earns_no_token_and_one_burst_an_hour() -> None:
    """Guessed successes earn no token and one burst of refunds an hour, per account and per address."""
    judged = trust(account_burst=3, ip_burst=5)
    rule = judged.rule(GUESSED, Basis.GUESS)
    hana, jun = attempt("hana", at=GUESSED), attempt("jun", at=GUESSED)

    assert believed(judged, rule, hana) is Belief.CAPPED
    assert [judged.refunds(rule, hana, charge(hana), 0) for _ in range(5)] == [True, True, True, False, False]
    # The address has had three of its five.
    assert [judged.refunds(rule, jun, charge(jun), 3_599) for _ in range(4)] == [True, True, False, False]
    assert not judged.refunds(rule, hana, charge(hana), 3_600)  # within an hour of the refunds at 3,599
    assert judged.refunds(rule, hana, charge(hana), 7_200)


def test_a_cap_of_an_hour_lasts_no_day_after_a_clock_was_set_back() -> None:
    """Refunds that were used up before count in the hour that begins, and no longer."""
    judged = trust(account_burst=3, ip_burst=5)
    rule = judged.rule(GUESSED, Basis.GUESS)
    hana = attempt("hana", at=GUESSED)
    assert [judged.refunds(rule, hana, charge(hana), 100_000) for _ in range(4)] == [True, True, True, False]

    found = [judged.refunds(rule, hana, charge(hana), 13_600 + at_s) for at_s in (0, 3_599, 3_600)]

    assert found == [False, False, True]


def test_a_proved_guess_is_trusted() -> None:
    """A guess proved right is trusted like a rule."""
    judged = trust()
    rule = judged.rule(GUESSED, Basis.GUESS)
    judged.prove([rule.id])

    assert believed(judged, rule, attempt(at=GUESSED)) is Belief.FULL


def test_workers_share_the_cap() -> None:
    """Each worker counts guessed refunds for itself, and together they give one burst."""
    judged = trust(account_burst=6, ip_burst=60)
    judged.share(3)
    rule = judged.rule(GUESSED, Basis.GUESS)
    hana = attempt(at=GUESSED)

    assert [judged.refunds(rule, hana, charge(hana), 0) for _ in range(4)] == [True, True, False, False]


def test_a_ninth_secret_of_one_account_is_believed_no_more() -> None:
    """Nine right secrets of one account within an hour make a rule untrusted for it, if no invented log-in can be
    tested.
    """
    judged = trust()
    rule = judged.rule(LOGIN, Basis.RULE)
    for number in range(8):
        saw(judged, rule, attempt(secret=f"{number}"), 0)
        rule.clear(0)
    assert believed(judged, rule, attempt()) is Belief.FULL

    saw(judged, rule, attempt(secret="9"), 0)

    assert believed(judged, rule, attempt()) is Belief.NOTHING
    assert believed(judged, rule, attempt("Hana")) is Belief.FULL
    assert believed(judged, rule, attempt("jun")) is Belief.FULL


def test_what_is_remembered_is_bounded_and_passes() -> None:
    """Memory is bounded to 4,096 accounts an hour; two hours later it is empty."""
    judged = trust()
    rule = judged.rule(LOGIN, Basis.RULE)
    for number in range(5_000):
        saw(judged, rule, attempt(f"account {number}"), 0)

    assert len(judged._secrets._young) == 4_096
    assert saw(judged, rule, attempt("account 7", "two"), 3_600)
    rule.clear(3_600)
    assert not saw(judged, rule, attempt("account 8", "two"), 10_801)
    assert len(judged._secrets._young) + len(judged._secrets._old) <= 2


def test_a_list_of_accounts_is_no_way_round_the_cap() -> None:
    """When memory is full, further accounts get no guessed refund, and none is forgotten."""
    judged = trust(account_burst=1, ip_burst=10**9)
    rule = judged.rule(GUESSED, Basis.GUESS)
    first = attempt("first", at=GUESSED)
    assert judged.refunds(rule, first, charge(first), 0)
    for number in range(17_000):
        other = attempt(f"{number}", at=GUESSED)
        judged.refunds(rule, other, charge(other), 0)

    assert not judged.refunds(rule, first, charge(first), 0)
    late = attempt("late", at=GUESSED)
    assert not judged.refunds(rule, late, charge(late), 0)
    assert len(judged._refunds._young) == 16_384


def test_nothing_that_is_remembered_tells_a_password() -> None:
    """Memory holds keyed digests and tags of four bytes, no name and no secret."""
    judged = trust()
    saw(judged, judged.rule(LOGIN, Basis.RULE), attempt("hana", "correct horse"), 0)

    assert b"correct horse" not in repr(judged._secrets._young).encode()
    assert b"hana" not in repr(judged._secrets._young).encode()
