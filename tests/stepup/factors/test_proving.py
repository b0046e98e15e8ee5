"""Each factor proves its owner once; nothing that an attacker sends proves anything."""

from __future__ import annotations

import asyncio

import pyotp
import pytest

from sekisho.challenge.captcha import Solved
from sekisho.challenge.work import Worked
from sekisho.mail import Service
from sekisho.owners import RESET_DELAY_S
from sekisho.stepup.attempt_limits import CodeTrial
from sekisho.stepup.factors import Factors, Proof, ShownFactor
from tests.mail.sending import OWNER, mailer
from tests.mail.servers import real_server
from tests.stepup.factors.site import BOUND, Site


async def test_a_code_of_an_app_proves_once() -> None:
    """Of ten parallel challenges with one app code one is proved, and no later one."""
    site = Site()
    code = site.code(await site.app())
    proofs = await asyncio.gather(*(site.shown("totp", code, challenge=bytes([n]) * 16) for n in range(10)))
    assert [proof for proof in proofs if proof] == [Proof("totp")]
    assert await site.shown("totp", code, challenge=b"z" * 16) is None


async def test_guesses_behind_a_wrong_secret_cost_the_owner_nothing() -> None:
    """Ten wrong codes behind a wrong secret leave the owner's tries untouched."""
    site = Site()
    app = await site.app()
    for n in range(10):
        assert await site.shown("totp", site.wrong(app), challenge=bytes([n]) * 16, right=False) is None
    assert await site.shown("totp", site.code(app), challenge=b"o" * 16) == Proof("totp")


async def test_a_right_code_behind_a_wrong_secret_proves_and_spends_nothing() -> None:
    """A right code behind a wrong secret proves nothing and is not spent."""
    site = Site()
    code = site.code(await site.app())
    assert await site.shown("totp", code, right=False) is None
    assert await site.shown("totp", code, challenge=b"o" * 16) == Proof("totp")


async def test_an_account_has_ten_guesses_over_all_challenges_and_spellings() -> None:
    """An account has ten guesses an hour over all challenges and spellings."""
    site = Site()
    app = await site.app()
    for n in range(10):
        account = "Alice" if n % 2 else "alice"
        assert await site.shown("totp", site.wrong(app), account=account, challenge=bytes([n]) * 16) is None
    assert await site.shown("totp", site.code(app), challenge=b"o" * 16) is None


async def test_a_challenge_has_five_guesses() -> None:
    """A challenge has five guesses; the sixth proves nothing, even if it is right."""
    site = Site()
    app = await site.app()
    for _ in range(5):
        assert await site.shown("totp", site.wrong(app)) is None
    assert await site.shown("totp", site.code(app)) is None
    assert await site.shown("totp", site.code(app), challenge=b"o" * 16) == Proof("totp")


async def burnt(site: Site, app: pyotp.TOTP) -> None:
    """An attacker with the password has guessed at the app for ten hours, five times a challenge."""
    for n in range(20):
        for _ in range(5):
            assert await site.shown("totp", site.wrong(app), challenge=b"%16d" % n) is None
        site.vault_clock.now_s += 1_800


async def test_an_app_that_was_guessed_at_a_hundred_times_waits_for_another_proof() -> None:
    """Row 80: after a hundred guesses an app proves nothing, its owner is told once, and a recovery code restores
    it.
    """
    site = Site()
    app = await site.app()
    sheet = await site.enrolling.recovery(await site.owner())
    await burnt(site, app)
    assert await site.shown("totp", site.code(app), challenge=b"o" * 16) is None
    site.vault_clock.now_s += 30 * 86_400
    assert await site.shown("totp", site.code(app), challenge=b"p" * 16) is None
    assert site.senders.changes.count(("totp", "stopped")) == 1
    assert await site.shown("recovery", sheet.codes[0], challenge=b"q" * 16)
    site.vault_clock.now_s += 3_600
    site.clock.now_s += 30
    assert await site.shown("totp", site.code(app), challenge=b"r" * 16) == Proof("totp")


async def test_guesses_at_an_app_that_nobody_has_are_told_to_nobody() -> None:
    """Guesses at a missing app are counted without a notice, or the store would reveal which accounts have one."""
    site = Site()
    await burnt(site, pyotp.TOTP("A" * 32))
    assert site.senders.changes == []


async def test_another_accounts_app_proves_nothing() -> None:
    """Another account's app proves nothing, by its code or by its enrolment copied into the victim's rows."""
    site = Site()
    app = await site.app("bob")
    assert await site.shown("totp", site.code(app)) is None
    [enrolment] = (await site.owner("bob")).enrolments
    owner = (await site.owner())._replace(enrolments=(enrolment,))
    trial = site.factors.trial(b"o" * 16, owner, behind_right_secret=True)
    assert await site.factors.prove(trial, owner, ShownFactor("totp", site.code(app)), BOUND) is None


async def test_a_passkey_proves_once() -> None:
    """One passkey answer shown five times at once is accepted once."""
    site = Site()
    shown = await site.assertion(await site.passkey())
    proofs = await asyncio.gather(*(site.shown("webauthn", credential=shown) for _ in range(5)))
    assert [proof for proof in proofs if proof] == [Proof("webauthn")]


async def test_a_passkey_that_never_counts_proves_once_too() -> None:
    """A passkey that never counts (synchronised ones report 0) proves once: the used-up challenge alone reveals a
    replay.
    """
    site = Site()
    key = await site.passkey()
    key.counts = False
    shown = await site.assertion(key)
    assert [await site.shown("webauthn", credential=shown) for _ in range(3)] == [Proof("webauthn"), None, None]


async def test_a_passkeys_answer_is_for_one_challenge_and_one_browser() -> None:
    """A passkey's answer proves nothing in another challenge or another browser."""
    site = Site()
    key = await site.passkey()
    shown = await site.assertion(key)
    assert await site.shown("webauthn", credential=shown, challenge=b"o" * 16) is None
    assert await site.shown("webauthn", credential=shown, bound_to=b"another browser") is None


async def test_a_passkey_behind_a_wrong_secret_proves_nothing() -> None:
    """A passkey behind a wrong secret proves nothing, and its count stays."""
    site = Site()
    key = await site.passkey()
    before = (await site.owner()).enrolments
    assert await site.shown("webauthn", credential=await site.assertion(key), right=False) is None
    assert (await site.owner()).enrolments == before


async def test_another_accounts_passkey_proves_nothing() -> None:
    """Bob's passkey cannot answer the challenge asked for Alice."""
    site = Site()
    await site.passkey()
    bobs = await site.passkey("bob", b"b" * 32)
    assert await site.shown("webauthn", credential=await site.assertion(bobs)) is None


async def test_a_passkeys_count_is_kept() -> None:
    """A passkey's count is stored: a clone with a lower count is refused."""
    site = Site()
    key = await site.passkey()
    assert await site.shown("webauthn", credential=await site.assertion(key)) == Proof("webauthn")
    key.sign_count -= 1
    shown = await site.assertion(key, challenge=b"o" * 16)
    assert await site.shown("webauthn", credential=shown, challenge=b"o" * 16) is None


async def test_of_two_that_count_at_once_the_later_is_not_believed() -> None:
    """Of two parallel counting answers the one that read the old count is refused."""
    site = Site()
    key = await site.passkey()
    early, shown = await site.owner(), await site.assertion(key)
    assert await site.shown("webauthn", credential=await site.assertion(key, challenge=b"o" * 16), challenge=b"o" * 16)
    trial = await site.trial()
    assert await site.factors.prove(trial, early, ShownFactor("webauthn", credential=shown), BOUND) is None


async def test_a_list_of_passkeys_is_as_long_for_everybody() -> None:
    """The list of passkeys has one length and the same store steps for owners of one, of none, and unknown names."""
    site = Site()
    await site.passkey()
    lengths, steps = set(), set()
    for account in ("alice", "bob", "nobody", "nobody\ud800"):
        owner, trial = await site.owner(account), await site.trial(account)
        site.vault.steps.clear()
        options = await site.factors.passkey_options(trial, owner, BOUND, account_digest=b"counted")
        lengths.add(len(options["allowCredentials"]))
        steps.add(tuple(site.vault.steps))
    assert (len(lengths), steps) == (1, {("put",)})


@pytest.mark.parametrize(("factor", "code"), [("totp", "123456"), ("email", "12345678"), ("webhook", "12345678")])
async def test_wrong_codes_take_the_same_steps_for_everybody(factor: str, code: str) -> None:
    """Wrong codes take the same store steps for owners, accounts without the factor and unknown names, for any
    secret.
    """
    site = Site()
    await site.app()
    steps = set()
    for number, account in enumerate(("alice", "bob", "nobody")):
        for right in (True, False):
            site.vault.steps.clear()
            assert (
                await site.shown(factor, code, account=account, challenge=bytes([number, right] * 8), right=right)
                is None
            )
            steps.add(tuple(site.vault.steps))
    assert len(steps) == 1


async def test_a_recovery_code_works_once_and_the_owner_hears_of_it() -> None:
    """A recovery code works once, of four shown at once too; its owner is told."""
    site = Site()
    sheet = await site.enrolling.recovery(await site.owner())
    proofs = await asyncio.gather(
        *(site.shown("recovery", sheet.codes[0], challenge=bytes([n]) * 16) for n in range(4))
    )
    assert [proof for proof in proofs if proof] == [Proof("recovery")]
    assert ("recovery", "used") in site.senders.changes
    assert await site.shown("recovery", sheet.codes[1], account="bob") is None


async def test_a_proof_ends_a_reset() -> None:
    """A proof cancels a pending reset: the phone is not lost."""
    site = Site()
    app = await site.app()
    await site.owners.ask_reset("1", now_s=int(site.clock()))
    assert await site.shown("totp", site.code(app)) == Proof("totp")
    assert await site.owners.pending_reset("1") is None


async def test_a_reset_that_is_due_is_carried_out_first() -> None:
    """A due reset is carried out first: the factors are gone and the owner is told. Before its time nothing happens."""
    site = Site()
    app = await site.app()
    await site.owners.ask_reset("1", now_s=int(site.clock()))
    site.clock.now_s += RESET_DELAY_S - 1
    assert len((await site.owner()).enrolments) == 1
    site.clock.now_s += 1
    assert (await site.owner()).enrolments == ()
    assert site.senders.changes[-1] == ("totp", "reset")
    assert await site.shown("totp", site.code(app)) is None


async def test_a_code_is_mailed_behind_a_right_secret_alone() -> None:
    """A right secret mails one code, which proves; a wrong secret or an account without an address mails none."""
    async with real_server() as server, mailer(f"smtp+plain://127.0.0.1:{server.port}") as (post, results):
        site = Site(post, Service("Shop", "shop.example/account"))
        for account, right in (("alice", False), ("bob", True), ("nobody", True), ("alice", True)):
            challenge = account.encode().ljust(15, b".") + bytes([right])
            trial = await site.trial(account, challenge, right=right)
            await site.factors.send(trial, await site.owner(account), "email")
        await results.first()
        text = (await server.message()).content.decode()
        found = next(line.strip() for line in text.splitlines() if line.strip().isdigit() and len(line.strip()) == 8)
        proof = await site.shown("email", found, challenge=b"alice".ljust(15, b".") + b"\1")
    assert (len(server.received), server.received[0].to) == (1, ("alice@mail.example",))
    assert proof == Proof("email")
    assert OWNER not in text


async def test_mail_to_no_address_uses_up_no_sends() -> None:
    """Requests for mail without an address use up no sends, so the owner's other codes still arrive."""
    site = Site()
    for n in range(9):
        await site.factors.send(await site.trial("bob", bytes([n]) * 16), await site.owner("bob"), "email")
    await site.factors.send(await site.trial("bob"), await site.owner("bob"), "webhook")
    await site.told()
    assert len(site.senders.codes) == 1


async def test_a_code_for_the_hook_proves_in_its_own_challenge_alone() -> None:
    """A code for the hook proves once, in its own challenge alone."""
    site = Site()
    await site.factors.send(await site.trial("bob"), await site.owner("bob"), "webhook")
    await site.told()
    [message] = site.senders.codes
    assert (message.account_id, message.account, message.locale, message.minutes) == ("2", "bob", "ja", 10)
    assert await site.shown("webhook", message.code, account="bob", challenge=b"o" * 16) is None
    assert await site.shown("webhook", message.code, account="bob") == Proof("webhook")
    assert await site.shown("webhook", message.code, account="bob") is None


@pytest.mark.parametrize("factor", ["", "totp ", "TOTP", "pow", "__class__", "x" * 100_000, "\ud800"])
async def test_what_is_no_factor_proves_nothing(factor: str) -> None:
    """An unknown factor proves nothing, sends nothing and raises nothing."""
    site = Site()
    assert await site.shown(factor, "123456") is None
    await site.factors.send(await site.trial(), await site.owner(), factor)
    assert site.senders.codes == []


@pytest.mark.parametrize("factor", ["webauthn", "totp", "email", "webhook", "recovery"])
@pytest.mark.parametrize("account", ["alice", "nobody", "\0", "\ud800", "x" * 10_000, ""])
async def test_broken_input_is_no_proof_and_no_error(factor: str, account: str) -> None:
    """Oversized, broken or impossible input is no proof and no error."""
    site = Site()
    for code, credential in (("", b""), ("9" * 100_000, b"{" * 100_000), ("\ud800\0", b"\xff{}"), ("123456", b"{}")):
        assert await site.shown(factor, code, credential, account=account) is None


async def test_unknown_accounts_can_prove_nothing_and_burn_nobodys_tries() -> None:
    """Unknown accounts prove nothing and use up no owner's tries, even if named like another account's id."""
    site = Site()
    assert await site.trial("1") == CodeTrial(b"c" * 16, "1", behind_right_secret=False)


def test_work_and_riddles_are_no_proofs() -> None:
    """Work and solved captchas are no proofs: neither equals one or shares a type with one."""
    for other in (Worked, Solved):
        assert not issubclass(other, Proof)
        assert set(other.__mro__) & set(Proof.__mro__) == {object}


@pytest.mark.parametrize("names", [("sms",), ("recovery",), ("webauthn",)])
def test_a_site_names_factors_that_there_are(names: tuple[str, ...]) -> None:
    """A site names existing factors, and a domain if it names passkeys."""
    site = Site()
    with pytest.raises(ValueError, match="factors are"):
        Factors(names, site.dependencies._replace(passkeys=None))


@pytest.mark.parametrize("name", ["webauthn", "totp", "email", "webhook"])
def test_there_is_always_a_second_way(name: str) -> None:
    """A site always has a second factor, as any single one can be lost."""
    assert Factors((name,), Site().dependencies).names == (name, "recovery")


def test_nothing_shown_is_printed() -> None:
    """No value's `repr` shows what was typed: tracebacks print it."""
    assert repr(ShownFactor("totp", "123456", b"secret")) == "ShownFactor(...)"
