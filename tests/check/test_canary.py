"""A suspected success rule is tested with an invented log-in, and is wrong if that succeeds."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.ledger.worker_sync import News
from tests.asgi.driving import FORM, OPEN, Answer, address, ask, form, guarded, http, log_in
from tests.check.apps import Site, header_names

if TYPE_CHECKING:
    from sekisho.wiring import LoginGuard

WRONG_RULE = "POST /login form:username,password success=cookie:session"
RIGHT_RULE = "POST /login form:username,password success=303:/home"
SETTINGS: dict[str, Any] = {**OPEN, "limit_account": "5/hour", "canary": "on"}


async def guesses(guard: LoginGuard, count: int, account: str = "hana") -> list[Answer]:
    """Wrong passwords, each from its own address; background work of one ends before the next."""
    answers = []
    for number in range(count):
        answers.append(await log_in(guard, account, f"guess {number}", client=address(number)))
        await settled()
    return answers


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


async def test_a_rule_that_every_answer_fulfils_gives_nothing_from_the_second_guess_on() -> None:
    """From the second guess on, a rule that matches every answer earns nothing; earlier 200 of 200 guesses earned
    tokens.
    """
    site = Site()
    guard = guarded(site, login=WRONG_RULE, **SETTINGS)

    answers = await guesses(guard, 200)

    assert sum(1 for one in answers if one.device) == 1
    assert sum(1 for one in answers if one.status != 429) <= 7
    assert len(site.invented) == 1


async def test_the_operator_is_told_once_with_the_rule_to_write(caplog: pytest.LogCaptureFixture) -> None:
    """The operator is told once at ERROR, with the rule to write and without account or secret."""
    site = Site()
    guard = guarded(site, login=WRONG_RULE, **SETTINGS)

    await log_in(guard, "hana", "hunter2")
    await log_in(guard, "hana", "right")
    await settled()
    await guesses(guard, 5)

    (said,) = errors(caplog)
    assert said == (
        "POST /login: a log-in with an invented account and an invented secret was taken for a success: the door's "
        "rule of success is wrong. Until it changes, successes there give no charge back and no device token, and "
        "device tokens issued under it are void [SEK075]. Write the door in SEKISHO_LOGIN as: "
        "POST /login form:username,password success=303:/home"
    )
    assert "hunter2" not in caplog.text
    assert "hana" not in caplog.text


async def test_a_token_that_a_wrong_guess_earned_is_void() -> None:
    """A token that a wrong guess earned is void: its holder is a stranger with strangers' limits."""
    site = Site()
    guard = guarded(site, login=WRONG_RULE, **SETTINGS)
    first = await log_in(guard, "hana", "guess")
    assert first.device
    await guesses(guard, 8)

    again = await log_in(guard, "hana", "another guess", token=first.device)

    assert again.status == 429


@pytest.mark.parametrize(
    "owners",
    [{"hana": {"right", "new"}}, {"hana": {"right", "app one", "app two"}}],
    ids=["a changed password", "app passwords"],
)
async def test_several_right_passwords_make_no_rule_wrong(
    owners: dict[str, set[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """Several right passwords make no rule wrong: the invented log-in fails, and the next success counts."""
    site = Site(owners)
    guard = guarded(site, login=RIGHT_RULE, **SETTINGS)

    for secret in sorted(owners["hana"]) * 4:
        answered = await log_in(guard, "hana", secret)
        await settled()

    assert answered.device
    assert len(site.invented) == 1
    assert errors(caplog) == []


async def test_an_attackers_own_accounts_make_no_rule_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """An attacker who keeps changing an own password causes one invented log-in in ten minutes, and no pause for
    others.
    """
    site = Site({"hana": {"right"}, **{f"own {n}": {"one", "two"} for n in range(20)}})
    guard = guarded(site, login=RIGHT_RULE, **SETTINGS)

    for number in range(20):
        for secret in ("one", "two"):
            await log_in(guard, f"own {number}", secret, client=address(number))
            await settled()

    assert (await log_in(guard)).device
    assert len(site.invented) == 1
    assert errors(caplog) == []


async def test_an_invented_log_in_looks_like_any_other() -> None:
    """An invented log-in has the suspicious request's headers without its sender's, and an impossible account."""
    site = Site({"hana": {"right", "new"}})
    guard = guarded(site, login=RIGHT_RULE, **SETTINGS)
    headers = [
        FORM, (b"host", b"shop.test"), (b"user-agent", b"Firefox/140"), (b"accept", b"text/html"),
        (b"cookie", b"session=mine; theme=dark"), (b"origin", b"https://shop.test"),
    ]  # fmt: skip
    for password in ("right", "new"):
        await ask(guard, http(headers=headers), form("hana", password) + b"&next=/basket")
    await settled()

    ((account, secret),) = site.invented
    client, made_up = site.scopes[-2:]
    assert header_names(made_up) == (header_names(client) - {b"cookie"}) | {b"content-length"}
    assert made_up["client"] == client["client"]
    assert "session" not in str(made_up["headers"])
    assert len(account) >= 20
    assert len(secret) >= 32


async def test_other_fields_and_csrf_tokens_are_sent_along() -> None:
    """Other fields and CSRF tokens are sent along, or a CSRF check would refuse the invented log-in."""
    token = "a" * 64
    site = Site({"hana": {"right", "new"}}, token=token)
    guard = guarded(site, login=WRONG_RULE, **SETTINGS)
    headers = [(b"x-csrftoken", token.encode()), (b"cookie", f"csrftoken={token}; session=mine".encode())]
    for password in ("right", "new"):
        await log_in(guard, "hana", password, headers=headers)
    await settled()

    assert (await log_in(guard, "hana", "right", headers=headers)).device == ""
    assert b"session" not in dict(site.scopes[-2]["headers"])[b"cookie"]


@pytest.mark.parametrize(
    "settings", [{"mode": "monitor"}, {"canary": "off"}], ids=["in monitor", "where the operator wants none"]
)
async def test_where_no_log_in_may_be_invented_the_operator_is_told_once(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """If no log-in may be invented the operator is told once and nothing pauses: a password may have changed."""
    site = Site({"hana": {"right", "new", "newer"}})
    guard = guarded(site, login=RIGHT_RULE, **{**SETTINGS, **settings})

    answers = [await log_in(guard, "hana", secret) for secret in ("right", "new", "newer", "right")]

    assert [bool(one.device) for one in answers] == [True, False, True, True]
    assert site.invented == []
    told = [record.getMessage() for record in caplog.records if "two different secrets" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("POST /login: ")


async def test_a_log_in_that_was_refused_for_another_reason_clears_nothing_and_condemns_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An invented log-in refused for another reason (a CSRF check) is logged and decides nothing."""
    site = Site({"hana": {"right", "new"}}, token="t")
    site.token = ""
    guard = guarded(site, login=RIGHT_RULE, **SETTINGS)
    await log_in(guard, "hana", "right")
    await log_in(guard, "hana", "new")
    site.token = "t"
    await settled()
    site.token = ""

    assert (await log_in(guard, "hana", "new")).device
    assert errors(caplog) == []
    assert "no invented log-in can show here" in caplog.text
    assert "[SEK076]" in caplog.text


async def test_doors_that_read_a_header_are_never_tried() -> None:
    """Basic doors are never tried: the request behind them would have its effect twice."""
    site = Site()
    guard = guarded(site, login="* /files/* basic success=2xx", **SETTINGS)

    for pair in ("aGFuYTpvbmU=", "aGFuYTp0d28="):
        await ask(guard, http("/files/a", headers=[(b"authorization", b"Basic " + pair.encode())]))
    await settled()

    assert site.invented == []


async def test_a_guess_that_is_wrong_is_told_as_one(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong guess of success, where wrong passwords redirect with a new session, is found and reported."""

    class Leading(Site):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def elsewhere(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [(b"location", b"/welcome"), *message["headers"][1:]]
                await send(message)

            await super().__call__(scope, receive, elsewhere)

    guard = guarded(Leading(), login="POST /login", **SETTINGS)

    answers = await guesses(guard, 20)

    assert sum(1 for one in answers if one.status != 429) <= 7
    assert not any(one.device for one in answers)
    (said,) = errors(caplog)
    assert "success cannot be guessed there" in said
    assert "Write the door in SEKISHO_LOGIN as: POST /login success=RULE" in said


async def test_what_another_worker_found_wrong_is_wrong_here(caplog: pytest.LogCaptureFixture) -> None:
    """A rule found wrong by another worker is wrong here, and reported once."""
    there = guarded(Site(), login=WRONG_RULE, **SETTINGS)
    here = guarded(Site(), login=WRONG_RULE, **SETTINGS)
    token = (await log_in(here)).device
    await guesses(there, 3)
    assert there._loops is not None
    assert here._loops is not None
    caplog.clear()

    for _ in range(2):
        here._loops.hear(News(2, rules=tuple(there._loops.process.trust.statements)))

    assert len(errors(caplog)) == 1
    assert not (await log_in(here, token=token)).device


async def test_a_rule_that_was_changed_is_not_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """A changed rule is not wrong: the finding and the tokens belong to the old one."""
    there = guarded(Site(), login=WRONG_RULE, **SETTINGS)
    here = guarded(Site(), login=RIGHT_RULE, **SETTINGS)
    await guesses(there, 3)
    assert there._loops is not None
    assert here._loops is not None
    caplog.clear()

    here._loops.hear(News(2, rules=tuple(there._loops.process.trust.statements)))

    assert errors(caplog) == []
    assert (await log_in(here)).device
