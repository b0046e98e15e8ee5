"""Captchas over real sockets: solved, unsolved or *could not tell*, in time, once, and never a proof of identity."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sekisho.challenge.captcha import HCAPTCHA, TURNSTILE, Captcha, CaptchaLimits, Provider, Siteverify, Solved
from sekisho.model import StoreUnavailable
from sekisho.store.vault import MemoryVault
from tests.breach import hibp_server as manner
from tests.challenge.captcha_server import (
    SECRET,
    SiteverifyApi,
    a_greeting,
    and_then_stays,
    in_pieces,
    instead,
    siteverify_api,
)
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

PATIENCE_S = 20  # where a right answer is awaited on a shared machine
SHORT_S = 0.3
BY_TURNSTILE, BY_HCAPTCHA = Solved("turnstile"), Solved("hcaptcha")


class Site:
    """A captcha checker, and its clock."""

    def __init__(
        self,
        url: str,
        provider: Provider = TURNSTILE,
        *,
        secret: str = SECRET,
        vault: MemoryVault | None = None,
        limits: dict[str, Any] | None = None,
        **rest: Any,
    ) -> None:
        self.now_s = 1_000.0
        own = MemoryVault(entries_max=100, bytes_max=1 << 20, clock_s=lambda: self.now_s)
        self.vault = own if vault is None else vault  # an empty one is false
        self.captcha = Siteverify(
            provider,
            secret,
            self.vault,
            url=url,
            limits=CaptchaLimits(**{"call_s": PATIENCE_S, "wait_s": PATIENCE_S, **(limits or {})}),
            clock_s=lambda: self.now_s,
            **{"hostnames": ["shop.example"], **rest},
        )


@asynccontextmanager
async def site(api: SiteverifyApi | str, provider: Provider = TURNSTILE, **rest: Any) -> AsyncIterator[Site]:
    one = Site(api if isinstance(api, str) else api.url, provider, **rest)
    try:
        yield one
    finally:
        await one.captcha.aclose()


# Right answers.


@pytest.mark.parametrize(
    "answer",
    [manner.whole, manner.whole_in_chunks, and_then_stays, in_pieces],
    ids=lambda answer: str(answer.__name__),
)
async def test_a_token_that_was_earned_is_solved_and_another_is_not(answer: manner.Answer) -> None:
    """An earned token is solved and another is not, however the answer is framed or the connection ends."""
    async with siteverify_api(answer) as api, site(api) as at:
        captcha: Captcha = at.captcha
        assert await captcha.check(api.earned()) == BY_TURNSTILE
        assert await captcha.check("made.up") is False


async def test_hcaptcha_is_asked_in_its_own_words() -> None:
    """The check asks hCaptcha in its protocol: with the site key, and without an action."""
    async with siteverify_api(speaks="hcaptcha") as api, site(api, HCAPTCHA, sitekey="site-1") as at:
        assert await at.captcha.check(api.earned()) == BY_HCAPTCHA
        assert await at.captcha.check("made.up") is False
        assert await at.captcha.check(api.earned(sitekey="site-2")) is False
        assert api.forms[0]["sitekey"] == "site-1"


async def test_what_is_sent_is_the_secret_and_the_token() -> None:
    """The request sends secret and token in the body, not in the URL, which servers log, and no client address by
    default.
    """
    async with siteverify_api() as api, site(api) as at:
        token = api.earned()
        await at.captcha.check(token, address="192.0.2.7")
        assert api.forms == [{"secret": SECRET, "response": token}]
        assert api.heads[0].startswith("POST /turnstile/v0/siteverify HTTP/1.1\r\nHost: 127.0.0.1:")
        assert "\r\nContent-Type: application/x-www-form-urlencoded\r\n" in api.heads[0]
        assert SECRET not in api.heads[0]


async def test_the_address_is_sent_where_the_site_wants_it() -> None:
    """The client address is sent if the site wants it and it is known."""
    async with siteverify_api() as api, site(api, send_address=True) as at:
        await at.captcha.check(api.earned(), address="192.0.2.7")
        await at.captcha.check(api.earned())
        assert [form.get("remoteip") for form in api.forms] == ["192.0.2.7", None]


async def test_tls_changes_nothing_of_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS, as the real services require, the check works the same."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with siteverify_api(secure=True) as api, site(api) as at:
        assert await at.captcha.check(api.earned()) == BY_TURNSTILE


async def test_an_untrusted_certificate_gets_no_secret() -> None:
    """An untrusted certificate ends the connection before any of the form is sent."""
    async with siteverify_api(secure=True) as api, site(api) as at:
        assert await at.captcha.check(api.earned()) is None
        assert api.forms == []


# Tokens earned elsewhere or earlier.


@pytest.mark.parametrize("hostname", ["evil.example", "shop.example.evil.example", "xshop.example", "", "not-provided"])
async def test_a_token_from_another_page_is_none(hostname: str) -> None:
    """A token from another page is void: the site key is public, so an attacker's visitors could solve for it."""
    async with siteverify_api() as api, site(api) as at:
        assert await at.captcha.check(api.earned(hostname=hostname)) is False


@pytest.mark.parametrize("hostname", [None, 7, ["shop.example"]])
async def test_a_success_that_does_not_say_where_is_none(hostname: object) -> None:
    """A success without a hostname is void: nothing missing is assumed."""
    async with siteverify_api() as api, site(api) as at:
        api.extra = {"hostname": hostname}
        assert await at.captcha.check(api.earned()) is False


async def test_hostnames_are_compared_as_hostnames() -> None:
    """Hostnames are compared without case, against all of the site's names."""
    async with siteverify_api() as api, site(api, hostnames=["Shop.Example", "www.shop.example"]) as at:
        assert await at.captcha.check(api.earned(hostname="SHOP.example")) == BY_TURNSTILE
        assert await at.captcha.check(api.earned(hostname="www.shop.example")) == BY_TURNSTILE


async def test_a_token_for_another_action_is_none() -> None:
    """A token for another action, such as a newsletter form, is void."""
    async with siteverify_api() as api, site(api, action="login") as at:
        assert await at.captcha.check(api.earned(action="newsletter")) is False
        assert await at.captcha.check(api.earned(action="login")) == BY_TURNSTILE
    async with siteverify_api() as api, site(api, action="login") as at:
        api.extra = {"action": None}
        assert await at.captcha.check(api.earned()) is False


@pytest.mark.parametrize(("provider", "speaks"), [(TURNSTILE, "turnstile"), (HCAPTCHA, "hcaptcha")])
async def test_a_token_works_once(provider: Provider, speaks: str) -> None:
    """A token works once, of a hundred parallel uses too: we refuse it even if the provider does not."""
    async with siteverify_api(speaks=speaks) as api, site(api, provider) as at:
        token = api.earned()
        assert await at.captcha.check(token)
        assert await at.captcha.check(token) is False
        api.forget_use()
        assert await at.captcha.check(token) is False


async def test_of_many_at_once_one_is_solved() -> None:
    """Of many parallel uses over two workers one counts, at a provider that accepts each."""
    async with siteverify_api() as api, site(api) as at, site(api, vault=at.vault) as other:
        token = api.earned()
        api.extra = {"success": True, "hostname": "shop.example", "error-codes": []}
        workers = (at, other) * 20
        got = await asyncio.gather(*(worker.captcha.check(token) for worker in workers))
        assert sorted(got, key=bool) == [False] * 39 + [BY_TURNSTILE]


async def test_a_token_that_was_not_solved_leaves_no_mark() -> None:
    """An unsolved token leaves no mark, or anyone could fill the store with made-up ones."""
    async with siteverify_api() as api, site(api) as at:
        assert await at.captcha.check("made.up") is False
        assert at.vault.entries == 0


async def test_nothing_is_granted_where_the_store_cannot_tell_whether_it_was_used() -> None:
    """If the store cannot tell whether a token was used, such as when it is full, nothing is granted."""
    async with siteverify_api() as api, site(api) as at:
        for number in range(100):
            await at.vault.once(b"%d" % number, seconds=1_000)
        with pytest.raises(StoreUnavailable):
            await at.captcha.check(api.earned())


@pytest.mark.parametrize(
    "token",
    ["", " ", "a b", "a\r\nb", "道場", "a\0", "x" * 2_049],
    ids=["none", "blank", "space", "line", "ja", "nul", "long"],
)
async def test_a_text_that_cannot_be_a_token_is_not_sent(token: str) -> None:
    """A text that cannot be a token is not sent to the provider."""
    async with siteverify_api() as api, site(api) as at:
        assert await at.captcha.check(token) is False
        assert api.forms == []


# Could not tell.

BROKEN = [
    manner.without_an_end,
    manner.cut_short,
    manner.cut_short_in_chunks,
    manner.cut_short_in_a_chunk,
    manner.a_part,
    manner.nothing,
    manner.a_page,
    manner.garbage,
    manner.no_http,
    manner.hang_up,
    manner.reset,
    manner.without_end_in_sight,
    manner.a_promise_too_large,
    manner.a_chunk_too_large,
    manner.headers_without_end,
    manner.status("500 Internal Server Error"),
    manner.status("503 Service Unavailable", "Retry-After: 60\r\n"),
    manner.status("429 Too Many Requests"),
    manner.status("403 Forbidden"),
    manner.status("302 Found", "Location: /turnstile/v0/siteverify\r\n"),
    manner.status("204 No Content"),
    instead(b"true"),
    instead(b"[]"),
    instead(b"{}"),
    instead(b'{"success": "true", "hostname": "shop.example"}'),
    instead(b'{"success": 1, "hostname": "shop.example"}'),
    instead(b'{"success": null}'),
    instead(b'{"success": true, "hostname": "shop.example"'),
    instead(b"[" * 10_000),
    instead(b"\xff\xfe"),
]
SLOW = [manner.silence, manner.silence_after_headers, manner.drip, manner.drip_of_body]


@pytest.mark.parametrize("answer", BROKEN, ids=lambda answer: str(answer.__qualname__))
async def test_a_broken_answer_means_could_not_tell(answer: manner.Answer) -> None:
    """A broken answer to an earned token means *could not tell*, and the next token is asked about as usual."""
    async with siteverify_api(answer) as api, site(api) as at:
        assert await at.captcha.check(api.earned()) is None
        assert at.vault.entries == 0
        api.answer = manner.whole
        assert await at.captcha.check(api.earned()) == BY_TURNSTILE


@pytest.mark.parametrize("answer", SLOW, ids=lambda answer: str(answer.__name__))
async def test_a_slow_answer_tells_nothing_in_time(answer: manner.Answer) -> None:
    """A slow answer means *could not tell* in time: the deadline covers all of it, also a byte every few
    milliseconds.
    """
    async with siteverify_api(answer) as api, site(api, limits={"call_s": SHORT_S}) as at:
        start = asyncio.get_running_loop().time()
        assert await at.captcha.check(api.earned()) is None
        assert asyncio.get_running_loop().time() - start < SHORT_S + PATIENCE_S  # a drip takes minutes


def test_a_check_takes_a_second_and_a_half_at_most() -> None:
    """By default a check takes a second and a half at most."""
    assert CaptchaLimits().call_s == 1.5


async def test_a_provider_that_cannot_be_reached_means_could_not_tell() -> None:
    """A closed port, a silent one and an unknown name mean *could not tell*."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        async with site(f"http://127.0.0.1:{port}/") as at:
            assert await at.captcha.check("token") is None
        listener.listen()
        async with site(f"https://127.0.0.1:{port}/", limits={"call_s": SHORT_S}) as at:
            assert await at.captcha.check("token") is None
    async with site("https://a..b/") as at:
        assert await at.captcha.check("token") is None


@pytest.mark.parametrize("codes", [["internal-error"], ["bad-request"], ["something-new"], [], None, "x", [{}], [7]])
async def test_a_no_that_does_not_say_why_tells_nothing(codes: object) -> None:
    """A refusal without a reason means *could not tell* and is no failure of the service, or a token could disable
    captchas.
    """
    async with siteverify_api() as api, site(api, limits={"failures_max": 1}) as at:
        api.extra = {"error-codes": codes}
        assert await at.captcha.check("made.up") is None
        assert at.captcha.answers


# The circuit breaker.


async def test_a_service_that_fails_is_left_alone_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """After three failures in a row nothing is asked; after a pause one trial call decides. Both changes are logged
    once.
    """
    caplog.set_level(logging.INFO, "sekisho.captcha")
    async with siteverify_api(manner.status("500 Internal Server Error")) as api, site(api) as at:
        for _ in range(5):
            assert await at.captcha.check(api.earned()) is None
        assert len(api.forms) == 3
        assert not at.captcha.answers
        at.now_s += 1
        api.answer = manner.whole
        assert await at.captcha.check(api.earned()) == BY_TURNSTILE
        assert at.captcha.answers
    assert caplog.messages == ["turnstile is not asked for a while: status 500", "turnstile answers again"]


REASONS = [
    (manner.without_end_in_sight, "too long"),
    (manner.cut_short, "cut short"),
    (manner.without_an_end, "the end of the answer is not marked"),
    (a_greeting, "no HTTP"),
    (manner.silence, "too slow"),
    (manner.a_page, "no JSON"),
    (instead(b"[]"), "an unexpected answer"),
]


@pytest.mark.parametrize(("answer", "reason"), REASONS, ids=[reason for _, reason in REASONS])
async def test_the_log_says_what_is_wrong(answer: manner.Answer, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """The log describes a failure in our own words: a quoted answer would let others write the log."""
    call_s = SHORT_S if reason == "too slow" else PATIENCE_S
    async with siteverify_api(answer) as api, site(api, limits={"failures_max": 1, "call_s": call_s}) as at:
        assert await at.captcha.check(api.earned()) is None
    assert caplog.messages == [f"turnstile is not asked for a while: {reason}"]


async def test_a_secret_that_it_does_not_know_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong secret is logged without its value, and no visitor is told that the captcha was not solved."""
    async with siteverify_api() as api, site(api, secret="0xWRONG") as at:
        for _ in range(3):
            assert await at.captcha.check(api.earned()) is None
    assert caplog.messages == ["turnstile is not asked for a while: it refuses the site's secret"]


async def test_tokens_that_are_wrong_are_no_fault_of_the_service() -> None:
    """Wrong tokens, however many, do not open the circuit breaker."""
    async with siteverify_api() as api, site(api) as at:
        for number in range(10):
            assert await at.captcha.check(f"made.up.{number}") is False
        assert at.captcha.answers


async def test_a_caller_that_disconnects_is_no_failure_of_the_provider() -> None:
    """A caller that disconnects counts as no failure, or three of them would open the breaker."""
    gate = asyncio.Event()
    async with siteverify_api(manner.after(gate)) as api, site(api, limits={"failures_max": 1}) as at:
        leaving = asyncio.create_task(at.captcha.check(api.earned()))
        await api.asked.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        gate.set()
        assert await at.captcha.check(api.earned()) == BY_TURNSTILE
        assert at.captcha.answers


async def test_a_flood_is_not_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    """A flood waits beyond the allowed calls, then is told to retry; it neither reaches the provider nor counts as
    unknown.
    """
    gate = asyncio.Event()
    limits = {"calls_max": 2, "waiting_max": 3}
    async with siteverify_api(manner.after(gate)) as api, site(api, limits=limits) as at:
        first = [asyncio.create_task(at.captcha.check(api.earned())) for _ in range(5)]
        await asyncio.sleep(0)
        too_many = [api.earned() for _ in range(3)]
        assert [await at.captcha.check(token) for token in too_many] == [False] * 3
        gate.set()
        assert await asyncio.gather(*first) == [BY_TURNSTILE] * 5
        # The token was not asked about, so it is still valid.
        assert await at.captcha.check(too_many[0]) == BY_TURNSTILE
        assert len(api.forms) == 6
    assert caplog.messages == ["too many captchas to check with turnstile at once: some clients must solve another one"]


async def test_each_of_two_hundred_at_once_gets_its_own_answer() -> None:
    """Of two hundred at once, more than there are places, each gets its own right answer."""
    async with siteverify_api() as api, site(api) as at:
        tokens = [api.earned() if number % 2 else f"made-up-{number}" for number in range(200)]
        answers = await asyncio.gather(*map(at.captcha.check, tokens))
    assert answers == [BY_TURNSTILE if number % 2 else False for number in range(200)]


async def test_one_address_takes_no_more_than_its_places() -> None:
    """One address gets no more than its places; further tokens are unsolved, and others do not wait."""
    gate = asyncio.Event()
    limits = {"calls_max": 10, "address_max": 2}
    async with siteverify_api(manner.after(gate)) as api, site(api, limits=limits) as at:
        flood = [asyncio.create_task(at.captcha.check(api.earned(), address="192.0.2.7")) for _ in range(20)]
        owner = asyncio.create_task(at.captcha.check(api.earned(), address="198.51.100.1"))
        await asyncio.sleep(0)
        gate.set()
        assert await owner == BY_TURNSTILE
        assert sorted(await asyncio.gather(*flood), key=bool) == [False] * 18 + [BY_TURNSTILE] * 2


async def test_a_caller_without_a_place_in_time_is_told_to_retry() -> None:
    """A caller without a place in time is told to retry, at a provider that is slow but not failing."""
    async with siteverify_api(manner.silence) as api, site(api, limits={"calls_max": 1, "wait_s": 0.01}) as at:
        first = asyncio.create_task(at.captcha.check(api.earned()))
        await api.asked.wait()
        assert await at.captcha.check(api.earned()) is False
        await at.captcha.aclose()
        assert await first is None


async def test_a_caller_that_disconnects_in_the_queue_frees_its_place() -> None:
    """Callers that disconnect in the queue leave their places free."""
    gate = asyncio.Event()
    async with siteverify_api(manner.after(gate)) as api, site(api, limits={"calls_max": 1, "waiting_max": 1}) as at:
        first = asyncio.create_task(at.captcha.check(api.earned()))
        await api.asked.wait()
        for _ in range(100):
            leaving = asyncio.create_task(at.captcha.check(api.earned()))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        waiting = asyncio.create_task(at.captcha.check(api.earned()))
        await asyncio.sleep(0)
        gate.set()
        assert [await first, await waiting] == [BY_TURNSTILE] * 2


async def test_closing_ends_waiting_checks_with_could_not_tell() -> None:
    """Closing ends waiting checks at once with *could not tell*, and asks nothing further."""
    async with siteverify_api(manner.silence) as api, site(api) as at:
        waiting = asyncio.create_task(at.captcha.check(api.earned()))
        await api.asked.wait()
        await at.captcha.aclose()
        assert await waiting is None
        assert await at.captcha.check(api.earned()) is None
        assert len(api.forms) == 1


# Settings.


@pytest.mark.parametrize(
    "url",
    [
        "http://captcha.example/siteverify",
        "http://192.0.2.1/",
        "ftp://127.0.0.1/",
        "https:///siteverify",
        "https://user:pass@captcha.example/",
        "https://captcha.example/?secret=x",
        "https://captcha.example/#x",
        "https://captcha.example:0/",
        "https://captcha.example:x/",
        "https://captcha.example/a b",
        "captcha.example",
    ],
)
def test_a_secret_goes_nowhere_in_the_clear(url: str) -> None:
    """A secret is not sent without TLS, and the error does not quote the address."""
    with pytest.raises(ValueError, match=r"^a URL to post to must be https://host\[:port\]\[/path\]$"):
        Site(url)


def test_what_a_provider_cannot_check_must_not_be_asked() -> None:
    """An action for hCaptcha or a site key for Turnstile is refused: a site would rely on an unchecked value."""
    with pytest.raises(ValueError, match=r"^hcaptcha does not support that check$"):
        Site("", HCAPTCHA, action="login")
    with pytest.raises(ValueError, match=r"^turnstile does not support that check$"):
        Site("", TURNSTILE, sitekey="site-1")


@pytest.mark.parametrize("missing", [{"secret": ""}, {"hostnames": []}])
def test_it_needs_a_secret_and_hostnames(missing: dict[str, Any]) -> None:
    """A secret and hostnames are required: without the first every token fails, without the second every page
    passes.
    """
    with pytest.raises(ValueError, match=r"^a captcha needs a secret and the hostnames that it is shown on$"):
        Site("", **missing)


def test_the_services_are_asked_where_they_say() -> None:
    """The services are called at their documented addresses, over TLS."""
    assert TURNSTILE.url == "https://challenges.cloudflare.com/turnstile/v0/siteverify"
    assert HCAPTCHA.url == "https://api.hcaptcha.com/siteverify"
    assert Site("", TURNSTILE).captcha.answers


# No proof, and no value shown.


def test_a_solved_captcha_is_no_proof_by_a_factor() -> None:
    """A solved captcha neither equals nor imitates a factor's result, and is immutable."""
    assert Solved.__mro__ == (Solved, object)
    for other in (("turnstile",), "turnstile", True):
        assert other != BY_TURNSTILE  # type: ignore[comparison-overlap] # which is half of the claim
    with pytest.raises(AttributeError):
        BY_TURNSTILE.by = "x"  # type: ignore[misc] # that is the claim


async def test_neither_secret_nor_token_nor_address_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Secret, token and address appear in no `repr` and at no log level, in any failure."""
    caplog.set_level(logging.DEBUG)
    for answer in (manner.whole, manner.reset, manner.garbage, manner.status("500 No")):
        async with siteverify_api(answer) as api, site(api, send_address=True, limits={"failures_max": 1}) as at:
            token = api.earned()
            await at.captcha.check(token, address="192.0.2.7")
            shown = repr(at.captcha) + caplog.text
            for hidden in (SECRET, token, "192.0.2.7"):
                assert hidden not in shown
