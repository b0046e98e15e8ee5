"""An account is asked for the strongest class of factor that it has enrolled; weaker proofs count for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.cli.owners.rewrap import rewrap
from sekisho.cli.progress import drawing
from sekisho.crypto.seal import Sealer
from sekisho.model import FactorClass
from sekisho.stepup.factors import Enrolling, Factors, Proof, ShownFactor
from sekisho.stepup.factors.requirements import BEFORE_SECRET, MANAGE, Demand, Strictness
from sekisho.stepup.proof import ProofFailed, StillNeeded
from tests.stepup.factors.site import BOUND, EVERY, Site
from tests.stepup.proving import SECRETS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PROTECTED = Demand(FactorClass.SENT, settled=True)
PROTECTED_PHR = Demand(FactorClass.PHR, settled=True)
DAY = 86_400


async def with_everything() -> tuple[Site, dict[str, str]]:
    """Alice has a passkey, an app and recovery codes since three days, and the codes that she can be made to type."""
    site = Site()
    app = await site.app()
    sheet = await site.enrolling.recovery(await site.owner())
    sent = await site.code_sent()
    await site.passkey()
    site.settle()
    return site, {"totp": site.code(app), "webhook": sent, "email": sent, "recovery": sheet.codes[0]}


@pytest.mark.parametrize("factor", ["totp", "webhook", "email", "recovery"])
@pytest.mark.parametrize("demand", [Demand(), BEFORE_SECRET, MANAGE, PROTECTED])
async def test_beside_a_passkey_no_weaker_proof_counts(factor: str, demand: Demand) -> None:
    """The owner of a passkey is asked for it at every purpose; no code proves anything."""
    site, codes = await with_everything()
    assert await site.shown(factor, codes[factor], demand=demand) is None


async def test_the_passkey_itself_counts_everywhere() -> None:
    """A passkey of three days proves its owner at every purpose, and the proof says so."""
    site = Site()
    key = await site.passkey()
    site.settle()
    for number, demand in enumerate((Demand(), BEFORE_SECRET, MANAGE, PROTECTED, PROTECTED_PHR)):
        challenge = b"%16d" % number
        shown = await site.assertion(key, challenge=challenge)
        proof = await site.shown("webauthn", credential=shown, challenge=challenge, demand=demand)
        assert proof == Proof("webauthn")
        assert (proof.factor_class, proof.settled) == (FactorClass.PHR, True)


@pytest.mark.parametrize("factor", ["totp", "webhook", "recovery"])
async def test_a_weaker_proof_takes_the_steps_of_a_wrong_one(factor: str) -> None:
    """A right code of a weaker class and a wrong one take the same steps, before and after the run's end."""
    site, codes = await with_everything()
    wrong = {"totp": "000000", "webhook": "00000000", "recovery": "0000-0000-0000-0000"}
    steps = []
    for number, code in enumerate((codes[factor], wrong[factor])):
        site.vault.steps.clear()
        assert await site.shown(factor, code) is None
        trial = await site.trial(challenge=b"%16d" % number, right=False)
        assert await site.factors.try_early(trial, await site.owner(), ShownFactor(factor, code), BOUND) is None
        steps.append(list(site.vault.steps))
    assert steps[0] == steps[1]


async def test_a_weaker_proof_is_not_spent() -> None:
    """Codes that proved nothing beside a passkey prove their owner once the passkey is removed."""
    site = Site()
    app = await site.app()
    key = await site.passkey()
    site.settle()
    code = site.code(app)
    for _ in range(3):
        assert await site.shown("totp", code) is None
    shown = await site.assertion(key, challenge=b"m" * 16)
    assert await site.shown("webauthn", credential=shown, challenge=b"m" * 16, demand=MANAGE)
    [passkey] = (await site.owner()).of_kind("webauthn")
    assert await site.enrolling.remove(await site.owner(), passkey.id)
    assert await site.shown("totp", code, challenge=b"o" * 16) == Proof("totp")


async def test_no_code_is_sent_to_an_owner_of_a_passkey() -> None:
    """The owner of a passkey gets no code, so has none to give away; one with nothing stronger does."""
    site = Site()
    await site.passkey()
    site.settle()
    assert await site.code_sent() == ""
    assert await site.code_sent("bob") != ""


async def test_sending_takes_the_same_steps_for_everybody() -> None:
    """A request for a code takes the same store steps for owners of a passkey, of nothing, and for unknown names."""
    site = Site()
    await site.passkey()
    site.settle()
    steps = set()
    for account in ("alice", "bob", "nobody"):
        for right in (True, False):
            trial = await site.trial(account, account.encode().ljust(15) + bytes([right]), right=right)
            site.vault.steps.clear()
            await site.factors.send(trial, await site.owner(account), "webhook")
            steps.add(tuple(site.vault.steps))
    assert len(steps) == 1


async def test_guesses_at_a_retired_app_stop_nothing() -> None:
    """A thief who guesses at the app of a passkey's owner does not stop the app: no such guess could succeed."""
    site = Site()
    app = await site.app()
    await site.passkey()
    site.settle()
    for number in range(120):
        await site.shown("totp", site.wrong(app), challenge=b"%16d" % (number // 5))
        site.vault_clock.now_s += 600
    assert ("totp", "stopped") not in site.senders.changes
    [passkey] = (await site.owner()).of_kind("webauthn")
    await site.enrolling.remove(await site.owner(), passkey.id)
    assert await site.shown("totp", site.code(app), challenge=b"o" * 16) == Proof("totp")


async def test_guesses_without_a_password_tell_its_owner_of_nothing() -> None:
    """R34: at a door where the proof comes first anybody may guess. A letter that the app was stopped would be one that
    a stranger can have sent to each owner of an app, and wrong: its codes go on at log-ins.
    """
    site = Site()
    app = await site.app()
    site.settle()
    for number in range(120):
        trial = (await site.trial(challenge=b"%16d" % (number // 5)))._replace(scope=b"door")
        shown = ShownFactor("totp", site.wrong(app), b"")
        assert await site.factors.prove(trial, await site.owner(), shown, BOUND, demand=BEFORE_SECRET) is None
        site.vault_clock.now_s += 600
    assert ("totp", "stopped") not in site.senders.changes
    assert await site.shown("totp", site.code(app), challenge=b"o" * 16) == Proof("totp")


async def test_used_up_codes_of_an_app_lower_nothing() -> None:
    """After a hundred guesses at an app, neither mail nor a recovery code lets anybody in: only a passkey does."""
    site = Site()
    app = await site.app()
    sheet = await site.enrolling.recovery(await site.owner())
    site.settle()
    for number in range(20):
        for _ in range(5):
            await site.shown("totp", site.wrong(app), challenge=b"%16d" % number)
        site.vault_clock.now_s += 1_800
    assert site.senders.changes.count(("totp", "stopped")) == 1
    assert await site.shown("totp", site.code(app), challenge=b"a" * 16) is None
    assert await site.code_sent(challenge=b"b" * 16) == ""
    assert await site.shown("recovery", sheet.codes[0], challenge=b"d" * 16) is None
    key = await site.passkey()
    shown = await site.assertion(key, challenge=b"e" * 16)
    assert await site.shown("webauthn", credential=shown, challenge=b"e" * 16)
    site.clock.now_s += 30
    assert await site.shown("totp", site.code(app), challenge=b"f" * 16) == Proof("totp")


# Enrolment is no takeover.


@pytest.mark.parametrize(("days", "counts"), [(0, True), (2.99, True), (3, False)])
async def test_a_new_passkey_retires_no_older_way_for_three_days(days: float, counts: bool) -> None:
    """A code that was accepted before a passkey was enrolled is accepted for 72 hours more, and then no longer."""
    site = Site()
    await site.passkey()
    site.clock.now_s += days * DAY
    code = await site.code_sent()
    assert (code != "") is counts
    assert (await site.shown("webhook", code) is not None) is counts


@pytest.mark.parametrize("demand", [BEFORE_SECRET, MANAGE, PROTECTED, PROTECTED_PHR])
@pytest.mark.parametrize(("days", "opens"), [(0, False), (2.99, False), (3, True)])
async def test_a_new_passkey_opens_nothing_alone_for_three_days(demand: Demand, days: float, opens: bool) -> None:
    """A passkey of less than 72 hours changes no factor and opens no protected route: it may be a thief's."""
    site = Site()
    key = await site.passkey()
    site.clock.now_s += days * DAY
    shown = await site.assertion(key)
    assert (await site.shown("webauthn", credential=shown, demand=demand) is not None) is opens


async def test_a_new_passkey_logs_in_and_says_that_it_is_new() -> None:
    """A new passkey logs in at once; its proof says that it is held back, so the session opens no protected route."""
    site = Site()
    key = await site.passkey()
    proof = await site.shown("webauthn", credential=await site.assertion(key))
    assert proof is not None
    assert not proof.settled


async def test_a_second_passkey_is_held_back_too() -> None:
    """The thief of a session enrols a passkey of their own: beside the owner's it opens nothing for 72 hours."""
    site = Site()
    await site.passkey()
    site.settle()
    thiefs = await site.passkey(credential_id=b"t" * 32)
    shown = await site.assertion(thiefs)
    assert await site.shown("webauthn", credential=shown, demand=PROTECTED) is None


async def test_a_new_sheet_in_place_of_an_old_one_is_held_back() -> None:
    """Recovery codes that were made anew open nothing for 72 hours, although their row is old; they log in at once."""
    site = Site()
    await site.enrolling.recovery(await site.owner())
    site.settle()
    sheet = await site.enrolling.recovery(await site.owner())
    assert await site.shown("recovery", sheet.codes[0], demand=PROTECTED) is None
    proof = await site.shown("recovery", sheet.codes[0], challenge=b"l" * 16)
    assert proof is not None
    assert not proof.settled
    site.settle()
    proof = await site.shown("recovery", sheet.codes[1], challenge=b"m" * 16, demand=PROTECTED)
    assert proof == Proof("recovery")


async def test_the_older_way_undoes_an_enrolment() -> None:
    """Within 72 hours a mailed code opens the owner's page, where the new passkey is removed."""
    site = Site()
    await site.passkey()
    site.clock.now_s += 2 * DAY
    code = await site.code_sent()
    assert await site.shown("webhook", code, demand=MANAGE) == Proof("webhook")
    [passkey] = (await site.owner()).factors
    assert await site.enrolling.remove(await site.owner(), passkey.id)


# The site's floor, and a route's.


async def test_a_floor_refuses_what_is_below_it() -> None:
    """With a floor of passkeys no code proves anybody, nor is one sent, also where nothing stronger is enrolled."""
    site = Site(strictness=Strictness(FactorClass.PHR))
    assert await site.code_sent() == ""
    key = await site.passkey()
    assert await site.shown("webauthn", credential=await site.assertion(key)) == Proof("webauthn")


async def test_an_owner_below_the_floor_may_enrol_the_first_strong_factor() -> None:
    """On the owner's page alone, a code counts until the account has a factor of the floor; then never again."""
    site = Site(strictness=Strictness(FactorClass.PHR))
    owner = await site.owner()
    await site.factors.send(await site.trial(), owner, "webhook", MANAGE)
    [code] = site.senders.queued
    assert await site.shown("webhook", code, challenge=b"c" * 16) is None
    assert await site.shown("webhook", code, demand=MANAGE) == Proof("webhook")
    await site.passkey()
    site.settle()
    await site.factors.send(await site.trial(challenge=b"n" * 16), await site.owner(), "webhook", MANAGE)
    assert len(site.senders.queued) == 1


async def test_a_route_may_ask_for_more_than_the_account_has() -> None:
    """A route with `acr=phr` takes no code of an app, also where the account has nothing stronger."""
    site = Site()
    app = await site.app()
    site.settle()
    assert await site.shown("totp", site.code(app), demand=PROTECTED_PHR) is None
    assert await site.shown("totp", site.code(app), demand=PROTECTED) == Proof("totp")


@pytest.mark.parametrize(
    ("names", "floor", "demand", "counts"),
    [
        (("totp",), FactorClass.SENT, Demand(), True),
        (("totp",), FactorClass.SENT, MANAGE, True),
        (("totp",), FactorClass.SENT, PROTECTED, True),
        (("totp",), FactorClass.SENT, Demand(FactorClass.APP, settled=True), False),
        (("totp",), FactorClass.APP, Demand(), False),
        (("totp", "webhook"), FactorClass.SENT, Demand(), False),
    ],
)
async def test_where_no_codes_are_sent_a_recovery_code_replaces_an_app(
    names: tuple[str, ...], floor: FactorClass, demand: Demand, counts: bool
) -> None:
    """Without mail or messages nothing else replaces a lost app; a route or a floor that wants an app still does."""
    site = Site(strictness=Strictness(floor), names=names)
    await site.app()
    sheet = await site.enrolling.recovery(await site.owner())
    site.settle()
    assert (await site.shown("recovery", sheet.codes[0], demand=demand) is not None) is counts


async def test_where_no_codes_are_sent_a_recovery_code_replaces_no_passkey() -> None:
    """Not even there does a code that a phishing page can relay stand for a passkey, nor for an owner's choice."""
    site = Site(names=("webauthn", "totp"))
    await site.app()
    sheet = await site.enrolling.recovery(await site.owner())
    site.settle()
    await site.enrolling.only_strong(await site.owner(), on=True)
    assert await site.shown("recovery", sheet.codes[0]) is None
    await site.enrolling.only_strong(await site.owner(), on=False)
    await site.passkey()
    site.settle()
    assert await site.shown("recovery", sheet.codes[0], challenge=b"p" * 16) is None


async def test_a_factor_that_the_site_no_longer_has_counts_for_nothing() -> None:
    """An enrolled kind that the site does not name raises nothing: nobody could show it."""
    site = Site()
    await site.passkey()
    site.settle()
    requirements = site.factors.requirements
    owner, now_s = await site.owner(), int(site.clock())
    assert requirements.own(owner, now_s) == FactorClass.PHR
    requirements._names = frozenset({"totp", "webhook", "recovery"})  # type: ignore[misc]
    assert requirements.own(owner, now_s) == FactorClass.SENT


# The owner's own floor.


async def refused(work: Callable[[], Awaitable[object]], error: type[Exception]) -> None:
    with pytest.raises(error):
        await work()


async def test_an_owner_refuses_weaker_ways() -> None:
    """With *only strong factors* the last strong factor stays, and nothing weaker counts, until the owner ends it."""
    site = Site()
    app = await site.app()
    site.settle()
    await site.enrolling.only_strong(await site.owner(), on=True)
    await site.enrolling.only_strong(await site.owner(), on=True)
    owner = await site.owner()
    assert site.factors.requirements.is_only_strong(owner)
    [only] = owner.factors
    await refused(lambda: site.enrolling.remove(owner, only.id), StillNeeded)
    await site.owners.remove("1", only.id)  # as if by a mistake in the database
    assert await site.code_sent() == ""
    await site.owners.enrol("1", only)
    assert await site.shown("totp", site.code(app), demand=MANAGE) == Proof("totp")
    await site.enrolling.only_strong(await site.owner(), on=False)
    assert await site.enrolling.remove(await site.owner(), only.id)
    assert await site.code_sent(challenge=b"s" * 16) != ""


async def test_an_owner_ends_the_choice_after_a_rotation_of_secrets() -> None:
    """A choice that was made under a secret that is no longer listed, and sealed anew, can be ended by its owner."""
    site = Site()
    await site.app()
    site.settle()
    await site.enrolling.only_strong(await site.owner(), on=True)
    fresh = b"n" * 32
    with drawing() as drawn:
        await rewrap(site.owners, Sealer([fresh, *SECRETS], clock_s=site.clock), drawn)
    dependencies = site.dependencies._replace(secrets=(fresh,))
    factors = Factors(EVERY, dependencies)
    enrolling = Enrolling(dependencies, issuer="Shop", requirements=factors.requirements)
    assert factors.requirements.is_only_strong(await factors.owner("alice"))
    await enrolling.only_strong(await factors.owner("alice"), on=False)
    assert not factors.requirements.is_only_strong(await factors.owner("alice"))


async def test_only_strong_needs_a_strong_factor_that_is_not_new() -> None:
    """A thief with one relayed code cannot shut the owner out by a new factor and *only strong factors*."""
    site = Site()
    await site.app()
    owner = await site.owner()
    await refused(lambda: site.enrolling.only_strong(owner, on=True), ProofFailed)
    assert not site.factors.requirements.is_only_strong(await site.owner())


async def test_another_accounts_choice_is_none() -> None:
    """A choice that was copied into another account's rows, or altered, fails closed: no weaker factor counts."""
    site = Site()
    await site.app("bob")
    site.settle()
    await site.enrolling.only_strong(await site.owner("bob"), on=True)
    [row] = (await site.owner("bob")).of_kind("strong-only")
    alice = (await site.owner())._replace(enrolments=(row,))
    assert site.factors.requirements.own(alice, int(site.clock())) == FactorClass.PHR


async def test_an_operators_reset_ends_the_choice_too() -> None:
    """After an operator's reset the account begins anew, with a mailed code."""
    site = Site()
    await site.app()
    site.settle()
    await site.enrolling.only_strong(await site.owner(), on=True)
    await site.owners.ask_reset("1", now_s=int(site.clock()))
    site.clock.now_s += DAY
    assert (await site.owner()).enrolments == ()
    assert await site.code_sent() != ""
