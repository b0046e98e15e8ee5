"""The examination of a running service, through real proxies and over real HTTP."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.crypto.examiner import examiner_token, is_examiner
from sekisho.crypto.signers import Signer
from sekisho.doctor import http
from sekisho.doctor.http import Reply, ServiceAddress, site_of
from sekisho.doctor.service import ServiceExaminer, checks_of_cors, checks_of_pages, told_of
from sekisho.model import SettingsError
from sekisho.read.cookie_flags import checks_of_cookies
from sekisho.settings import Settings, load
from tests.acceptance.processes import SECRET
from tests.doctor.site import FRONT, PROXY, Forward, appending, passing_on, proxied, served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sekisho.doctor import DoctorReport
    from sekisho.model.diagnosis import Diagnosis

SOUND = {"LOGIN": "POST /login success=302:/home", "NO_FACTOR": "refuse"}
TRUSTING = SOUND | {"TRUSTED_PROXIES": PROXY}
MEMORY = "SEK004"  # these services count in memory
BASKET = "SEK058"  # and set a cookie without Secure
USUAL = {MEMORY, BASKET}
PLAIN = "--no-proxy-headers"


def settings(**variables: str) -> Settings:
    return load({"SEKISHO_SECRET": SECRET} | {f"SEKISHO_{name}": value for name, value in variables.items()})


async def examined(
    url: str,
    port: int,
    known: Settings,
    *,
    port_80: int | None = None,
    origin: str = "",
    pages: tuple[str, ...] = (),
    near: bool = False,
) -> DoctorReport:
    """Examine the service at a local port, as though it were at this address; nothing or a port answers at port 80.

    `near`: the name leads to this machine, as by a line in /etc/hosts.
    """

    def fetch(site: ServiceAddress, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        if site.port == 80 and site_of(url).port != 80 and port_80 is None:
            raise ConnectionRefusedError
        local = ServiceAddress("http", "127.0.0.1", port if site == site_of(url) else port_80 or port, site.path)
        reply = http.fetch(local, method, path, headers)
        return reply if near else reply._replace(is_near=False)

    return await ServiceExaminer(known, site_of(url), origin, pages, fetch, time.time).examine()


def appending_its_own(headers: Forward, _client: str) -> Forward:
    """As `appending`, where the client is on the proxy's machine."""
    return appending(headers, PROXY)


def found(report: DoctorReport) -> dict[str, Diagnosis]:
    return {each.hazard.number: each for each in report.diagnoses if each.hazard.number not in USUAL}


@pytest.fixture(scope="module")
def trusting() -> Iterator[int]:
    """A service that trusts the proxy, run without proxy headers."""
    with served(PLAIN, **TRUSTING) as port:
        yield port


@pytest.fixture(scope="module")
def unaware() -> Iterator[int]:
    """A service that trusts no proxy."""
    with served(PLAIN, **SOUND) as port:
        yield port


# --- proxies


async def test_nothing_is_said_about_a_service_that_is_set_up_rightly(trusting: int) -> None:
    """Behind a proxy that appends the client's address, over https, there is nothing to say."""
    with proxied(trusting, appending) as port:
        report = await examined("https://shop.example", port, settings(**TRUSTING))

    assert found(report) == {}
    assert report.is_complete


@pytest.mark.parametrize("near", [True, False])
async def test_a_right_proxy_on_this_machine_is_not_accused(trusting: int, near: bool) -> None:
    """Client and proxy share an address, which is trusted, so a client there may name any other. That is said, and is
    no finding.
    """
    with proxied(trusting, appending_its_own) as port:
        report = await examined("https://shop.example", port, settings(**TRUSTING), near=near)

    assert found(report) == {}
    assert report.is_complete
    assert report.unseen[0].what.startswith("whether a client can forge its address: the proxy sees this command at an")


async def test_a_missing_proxy_on_this_machine_is_no_rewritten_peer(unaware: int) -> None:
    """The header lists the peer's address because client and proxy share it. The name does not matter."""
    with proxied(unaware, appending_its_own) as port:
        report = await examined("https://shop.example", port, settings(**SOUND), near=True)

    assert list(found(report)) == ["SEK050"]


async def test_a_missing_proxy_is_found(unaware: int) -> None:
    """The proxy is not named: all clients share its address. The line names its private network."""
    with proxied(unaware, appending) as port:
        report = await examined("https://shop.example", port, settings(**SOUND))

    assert list(found(report)) == ["SEK050"]
    assert found(report)["SEK050"].write == "SEKISHO_TRUSTED_PROXIES=127.0.0.0/8"
    assert not [part for part in (PROXY, "198.51.100.7", "192.0.2.1") if part in str(report)]


async def test_a_rewritten_peer_is_found() -> None:
    """uvicorn, by default, puts the header's address in the place of the peer's, if the proxy is one it trusts."""
    with (
        served("--forwarded-allow-ips", PROXY, **TRUSTING) as service,
        proxied(service, appending) as port,
    ):
        report = await examined("https://shop.example", port, settings(**TRUSTING))

    assert list(found(report)) == ["SEK051"]
    assert found(report)["SEK051"].write == "uvicorn --no-proxy-headers MODULE:APP"


async def test_a_server_that_believes_everybody_is_found() -> None:
    """With `*` a client chooses its own address, also without any proxy."""
    with served("--forwarded-allow-ips", "*", **SOUND) as port:
        assert list(found(await examined("https://shop.example", port, settings(**SOUND)))) == ["SEK051"]


@pytest.mark.parametrize("near", [True, False])
async def test_a_proxy_that_passes_the_clients_header_on_is_found(trusting: int, near: bool) -> None:
    """The header that a client wrote reaches the guard unchanged from a trusted proxy."""
    with proxied(trusting, passing_on) as port:
        report = await examined("https://shop.example", port, settings(**TRUSTING), near=near)

    assert list(found(report)) == ["SEK054"]


@pytest.mark.parametrize("near", [True, False])
async def test_a_proxy_that_names_no_client_is_found(trusting: int, near: bool) -> None:
    """A trusted proxy that drops the header: all clients share its address, by any name of the site."""

    def dropping(headers: Forward, _client: str) -> Forward:
        return {name: value for name, value in headers.items() if name != "x-forwarded-for"}

    with proxied(trusting, dropping) as port:
        report = await examined("https://shop.example", port, settings(**TRUSTING), near=near)

    assert list(found(report)) == ["SEK056"]


async def test_a_header_of_a_cdn_is_tried_as_well() -> None:
    """With a CDN's own header, a proxy that passes it on lets a client forge it."""
    given = TRUSTING | {"CLIENT_IP_HEADER": "cf-connecting-ip"}
    with served(PLAIN, **given) as service, proxied(service, passing_on) as port:
        report = await examined("https://shop.example", port, settings(**given))

    assert list(found(report)) == ["SEK054"]
    assert "cf-connecting-ip" in found(report)["SEK054"].what


async def test_an_address_past_the_proxies_is_said(trusting: int) -> None:
    """The service's own port says nothing about proxies and TLS: that is said, and is no finding."""
    report = await examined("http://127.0.0.1", trusting, settings(**TRUSTING))

    assert found(report) == {}
    assert [each.what.partition(":")[0] for each in report.unseen] == [
        "the proxies",
        "TLS",
        "a front end on another site, if there is one",
    ]


async def test_a_session_middleware_outside_is_found() -> None:
    """A session middleware outside of the guard works for every request of a flood."""
    with served(PLAIN, app="shop_behind_sessions", **SOUND) as port:
        assert list(found(await examined("https://shop.example", port, settings(**SOUND)))) == ["SEK052"]


# --- transport and cookies


async def test_plain_http_is_found(unaware: int) -> None:
    """The service is given with http, or answers at port 80 as well."""
    given = await examined("http://shop.example", unaware, settings(**SOUND))
    beside = await examined("https://shop.example", unaware, settings(**SOUND), port_80=unaware)

    assert list(found(given)) == list(found(beside)) == ["SEK055"]


@pytest.mark.parametrize("hsts", ["", "max-age=0", "max-age=86399; includeSubDomains"])
async def test_a_service_that_does_not_keep_browsers_on_https_is_found(hsts: str) -> None:
    """No header, or one that ends at once, protects nobody who types the address."""
    with served(PLAIN, hsts=hsts, **SOUND) as port:
        assert list(found(await examined("https://shop.example", port, settings(**SOUND)))) == ["SEK059"]


@pytest.mark.parametrize(
    "value", ["max-age=86400", 'includeSubDomains; MAX-AGE="31536000"', "max-age=63072000; preload"]
)
def test_a_header_that_keeps_browsers_on_https_is_read(value: str) -> None:
    """As browsers read it: directives in any order and case, a quoted value."""
    page = Reply(200, (("strict-transport-security", value), ("strict-transport-security", "max-age=0")), b"")
    gone = Reply(404, (), b"")

    assert list(checks_of_pages([page, gone])) == []


def test_cookies_without_flags_are_named() -> None:
    """Each cookie is named once. One that is deleted, and one that scripts must read, do not matter."""
    lines = ["basket=1; Path=/", "basket=2", "old=; Max-Age=0", "x\x1b[2J=1", "sessionid=1; secure; HttpOnly"]
    lines += ["csrftoken=1; Secure", "app_session=1; Secure", "__Host-sekisho=1"]

    assert [(each.hazard.number, each.write) for each in checks_of_cookies(lines)] == [
        ("SEK058", "Set-Cookie: basket=…; Secure; HttpOnly; SameSite=Lax"),
        ("SEK060", "Set-Cookie: app_session=…; Secure; HttpOnly; SameSite=Lax"),
    ]


# --- CORS


async def test_a_front_end_on_another_site_is_found(unaware: int) -> None:
    """The guard stands outside of CORS and does not know the origin: its refusals cannot be read there."""
    report = await examined("https://shop.example", unaware, settings(**SOUND), origin=FRONT)

    assert list(found(report)) == ["SEK053"]
    assert found(report)["SEK053"].write == "SEKISHO_ORIGINS=https://app.example"


@pytest.mark.parametrize("outside", [True, False])
async def test_a_front_end_that_is_allowed_is_none(outside: bool) -> None:
    """CORS outside of the guard, or `SEKISHO_ORIGINS`: either lets the page read the answer."""
    given = SOUND if outside else SOUND | {"ORIGINS": FRONT}
    with served(PLAIN, app="shop_behind_cors" if outside else "shop", **given) as port:
        report = await examined("https://shop.example", port, settings(**given), origin=FRONT)

    assert found(report) == {}


@pytest.mark.parametrize(
    ("allowed", "numbers"),
    [([FRONT], []), ([FRONT, FRONT], ["SEK057"]), (["*"], ["SEK053"]), (["https://other.example"], ["SEK053"])],
)
def test_headers_of_cors_are_judged(allowed: list[str], numbers: list[str]) -> None:
    """One line with the page's own origin lets it read an answer to a request with cookies."""
    assert [each.hazard.number for each in checks_of_cors(allowed, FRONT, [])] == numbers


def test_the_line_keeps_the_origins_that_are_set() -> None:
    """The line to write adds the origin."""
    (one,) = checks_of_cors([], FRONT, ["https://a.example"])

    assert one.write == "SEKISHO_ORIGINS=https://a.example,https://app.example"


# --- doors


async def test_a_misspelt_door_is_found() -> None:
    """The application answers 404 at a misspelt door: the real one is open."""
    given = SOUND | {"LOGIN": "POST /login success=302:/home; POST /logn success=302:/home"}
    with served(PLAIN, **given) as port:
        report = await examined("https://shop.example", port, settings(**given))

    assert found(report)["SEK070"].what == "SEKISHO_LOGIN: the application answers 404 at POST /logn"


def test_a_misspelt_protected_route_and_an_open_door_are_found() -> None:
    """The service names its protected routes that are not there, and its doors that are open below their path.

    Earlier versions name none.
    """
    examiner = ServiceExaminer(settings(**SOUND), site_of("https://shop.example"), "", (), http.fetch, time.time)

    def whats(**told: object) -> list[tuple[str, str]]:
        read = told_of(json.dumps(answer(**told)).encode())
        assert read is not None
        return [(each.hazard.number, each.what) for each in examiner._checks_of_doors(read)]

    expected = [("SEK085", "SEKISHO_PROTECT: the application answers 404 at POST /pay")]
    assert whats(missing_protected=["POST /pay"]) == expected
    below = [("SEK086", "SEKISHO_LOGIN: the application answers below POST /login as well")]
    assert whats(open_below=["POST /login"]) == below
    basic = [("SEK089", "SEKISHO_LOGIN: the application looks at HTTP Basic at POST /login as well")]
    assert whats(basic_beside=["POST /login"]) == basic
    assert whats() == []


def test_a_door_that_was_never_used_is_found() -> None:
    """A hundred attempts at other doors and none at this one."""
    known = settings(**SOUND, RESET="POST /reset form:,token,password")
    examiner = ServiceExaminer(known, site_of("https://shop.example"), "", (), http.fetch, time.time)

    def numbers(attempts: dict[str, int]) -> list[str]:
        told = told_of(json.dumps(answer(attempts=attempts)).encode())
        assert told is not None
        return [each.hazard.number for each in examiner._checks_of_doors(told)]

    assert numbers({"POST /login": 100, "POST /reset": 0}) == ["SEK077"]
    assert numbers({"POST /login": 99, "POST /reset": 0}) == []
    assert numbers({"POST /login": 100, "POST /reset": 1}) == []


async def test_the_services_own_diagnoses_are_told() -> None:
    """Settings as the service has them, whichever this command sees."""
    with served(PLAIN, **SOUND, MODE="monitor") as port:
        report = await examined("https://shop.example", port, settings(**SOUND))

    assert found(report)["SEK003"].what == "SEKISHO_MODE: monitor refuses nobody"


async def test_a_form_that_posts_past_the_guard_is_found(unaware: int) -> None:
    """A form without `action` posts to its own page, which is no door; the line names its fields."""
    report = await examined("https://shop.example", unaware, settings(**SOUND), pages=("/account?tab=1",))

    assert list(found(report)) == ["SEK078"]
    assert found(report)["SEK078"].write == "SEKISHO_LOGIN=POST /account form:email,pass"


async def test_a_form_whose_tokens_session_is_withheld_is_found() -> None:
    """The form has a token, whose session behind a step-up the application does not see: the line names its cookie."""
    factors = {"FACTORS": "totp", "OWNERS": "sqlite+aiosqlite:///o.db", "OWNERS_QUERY": "select 1 where :account = 2"}
    door = "POST /login form:username,password success=302:/home"
    with served(PLAIN, app="shop_with_token", **SOUND) as port:
        for known, numbers in (
            ({"LOGIN": door}, []),
            ({"LOGIN": door, **factors}, ["SEK071"]),
            ({"LOGIN": f"{door} cookies=session", **factors}, []),
        ):
            report = await examined("https://shop.example", port, settings(**{**SOUND, **known}))
            about = [each for each in report.diagnoses if each.hazard.number == "SEK071"]
            assert [each.hazard.number for each in about] == numbers
            assert [each.write for each in about] == [f"SEKISHO_LOGIN={door} cookies=session"] * len(numbers)


# --- the token


SIGNERS = [Signer(b"old" * 20), Signer(b"new" * 20, signs=False)]


def test_a_token_is_good_for_five_minutes() -> None:
    """A token is good for five minutes, by clocks that may differ by as much."""
    token = examiner_token(SIGNERS, 1_000.0)

    assert [is_examiner(SIGNERS, token, now) for now in (699.0, 700.0, 1_300.0, 1_301.0)] == [False, True, True, False]


@pytest.mark.parametrize(
    "token", [b"", b".", b"1000", b"1000.", b"1000." + b"0" * 32, b"x" * 9_999, b"-1.x", "１.x".encode(), b"9" * 64]
)
def test_another_token_is_none(token: bytes) -> None:
    """Tokens of a stranger, however odd."""
    assert not is_examiner(SIGNERS, token, 1_000.0)
    assert not is_examiner([Signer(b"another" * 9)], examiner_token(SIGNERS, 1_000.0), 1_000.0)


async def test_a_stranger_learns_nothing(unaware: int) -> None:
    """Without the secret the path answers as any other, so no client learns whether its header is believed."""
    there = http.fetch(
        ServiceAddress("http", "127.0.0.1", unaware, ""), "GET", "/sekisho/doctor", {"sekisho-examiner": "1.x"}
    )
    elsewhere = http.fetch(ServiceAddress("http", "127.0.0.1", unaware, ""), "GET", "/sekisho/nothing", {})

    assert (there.status, there.body) == (elsewhere.status, elsewhere.body)
    assert there.status == 404


async def test_a_service_with_another_secret_was_not_examined(unaware: int) -> None:
    """With another secret there is no examination; nor without a service."""
    other = load({"SEKISHO_SECRET": "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8"})
    report = await examined("https://shop.example", unaware, other)
    gone = await examined("https://shop.example", 1, settings())

    assert [report.is_complete, gone.is_complete] == [False, False]
    assert "no guard answered there" in report.unseen[0].what
    assert gone.unseen[0].what == "the service at --url does not answer: ConnectionRefusedError"


# --- answers of others


def answer(**changes: object) -> dict[str, object]:
    arrival = dict.fromkeys(
        ("trusted", "forwarded", "named", "rewritten", "forged_peer", "forged_client", "outermost"), False
    )
    return {"arrival": {**arrival, "network": ""}, "attempts": {}, "missing": [], "diagnoses": []} | changes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        json.dumps(answer(missing=["\x1b[2J"])).encode(),
        json.dumps(answer(missing=["x" * 5_000])).encode(),
        json.dumps(answer(attempts=[])).encode(),
        json.dumps(answer(arrival={})).encode(),
        json.dumps(answer(diagnoses=[{"number": "SEK998", "what": "", "write": ""}])).encode(),
        json.dumps(answer(arrival=dict.fromkeys(answer()["arrival"], "x"))).encode(),  # type: ignore[call-overload]
    ],
)
def test_another_servers_answer_is_none_of_ours(body: bytes) -> None:
    """Another server's answer is not printed: it could move the cursor of a terminal."""
    assert told_of(body) is None


def test_our_answer_is_read() -> None:
    """The answer that the other tests change is a good one. Earlier versions do not say whose address it was."""
    told, of_proxy = (told_of(json.dumps(answer(**more)).encode()) for more in ({}, {"client_is_proxy": True}))
    assert told is not None
    assert of_proxy is not None
    assert (told.arrival.client_is_proxy, of_proxy.arrival.client_is_proxy) == (False, True)


@pytest.mark.parametrize(
    "url",
    ["", "shop.example", "ftp://shop.example", "https://", "https://h:x", "https://a:hunter2@h", "https://h/?q=1"],
)
def test_a_wrong_address_is_refused(url: str) -> None:
    """An address that is none is refused without repeating it."""
    with pytest.raises(SettingsError, match="--url") as refused:
        site_of(url)
    assert "hunter2" not in str(refused.value)


def test_an_address_is_read() -> None:
    """Scheme, host, port and the path where an application is mounted."""
    assert site_of("https://shop.example/app/") == ServiceAddress("https", "shop.example", 443, "/app")
    assert site_of("http://[::1]:8000") == ServiceAddress("http", "::1", 8000, "")
