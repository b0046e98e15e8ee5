"""Loading environment and keywords: strict, and all errors at once."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from sekisho import settings
from sekisho.model import DoorKind, Limit, LimitSet, Mode, SettingsError
from sekisho.settings import NoFactor, StoreFailure
from sekisho.settings.values import BY_FIELD
from tests.settings.loading import OTHER, SECRET, load, mistakes, problem_of

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def test_a_secret_alone_suffices() -> None:
    """With a secret alone all else has its documented default."""
    loaded = load()

    assert loaded.secrets == (SECRET.encode(),)
    assert (loaded.store, loaded.mode, loaded.namespace, loaded.mount) == (
        "memory://",
        Mode.ENFORCE,
        "sekisho",
        "/sekisho",
    )
    assert [door.name for door in loaded.doors] == ["POST /login"]
    assert (loaded.trusted_proxies, loaded.trust_unix, loaded.allow, loaded.deny) == ((), False, (), ())
    assert loaded.client_ip_header == "x-forwarded-for"
    assert loaded.device_headers == (b"user-agent", b"accept-language", b"sec-ch-ua")
    assert (loaded.origins, loaded.workers) == (frozenset(), None)
    assert (loaded.on_store_failure, loaded.no_factor) == (StoreFailure.LOCAL, NoFactor.CHALLENGE)
    assert (loaded.body_bytes_max, loaded.body_seconds_max) == (65_536, 10.0)
    assert loaded.strangers_max is None
    assert (loaded.store_deadline_us, loaded.memory_entries_max) == (150_000, 200_000)
    assert (loaded.device_cookie, loaded.device_days) == ("__Host-sekisho", 180)
    assert (loaded.corpus, loaded.pairs, loaded.hibp, loaded.exposed_header) == (None, None, False, None)
    assert (loaded.corpus_days_max, loaded.breached_min) == (30, 1)
    assert loaded.hibp_url == "https://api.pwnedpasswords.com"


def test_the_starting_limits_are_those_of_the_design() -> None:
    """The default limits are those of the design, such as twenty in ten minutes and a hundred a day per address."""
    assert load().limits == LimitSet(
        ip=(Limit(20, 10 * MINUTE), Limit(100, DAY)),
        networks=((Limit(100, 10 * MINUTE),), (Limit(400, 10 * MINUTE),)),
        device=(Limit(30, 10 * MINUTE),),
        account=(Limit(5, 5 * MINUTE), Limit(10, HOUR)),
        known_device=(Limit(10, HOUR),),
        account_failures_max=100,
    )


def test_every_setting_can_be_set() -> None:
    """Each variable arrives, typed, in its attribute."""
    loaded = load(
        STORE="redis://:p%40ss@redis:6379/1",
        MODE="Monitor",
        LOGIN="POST /in json:user.email,password",
        SIGNUP="POST /signup",
        LIMIT_IP="9/hour;3/minute",
        LIMIT_LANE="7/day",
        ACCOUNT_FAILURES_MAX="50",
        NAMESPACE="shop-jp",
        MOUNT="/a/b",
        TRUSTED_PROXIES="10.0.0.0/8, fd00::/8, unix",
        CLIENT_IP_HEADER="Forwarded",
        DEVICE_HEADERS="User-Agent,X-JA4",
        ORIGINS="https://App.example:443, http://localhost:3000",
        ON_STORE_FAILURE="closed",
        NO_FACTOR="refuse",
        WORKERS="4",
        ALLOW="192.0.2.0/28",
        DENY="2001:db8::/32,203.0.113.9",
        BODY_BYTES_MAX="1024",
        BODY_SECONDS_MAX="2.5",
        STRANGERS_MAX="16",
        STORE_DEADLINE_MS="100",
        STORE_BYTES_MAX="5000000",
        MEMORY_ENTRIES_MAX="1000",
        DEVICE_COOKIE="__Host-x",
        DEVICE_DAYS="30",
        CORPUS="/srv/passwords",
        CORPUS_DAYS_MAX="90",
        PAIRS="/srv/pairs",
        PAIRS_KEY=OTHER + ",with a comma",
        HIBP="on",
        HIBP_URL="https://Pwned.internal:8443/",
        EXPOSED_HEADER="Exposed-Credential-Check",
        BREACHED_MIN="10",
    )

    assert loaded.store == "redis://:p%40ss@redis:6379/1"
    assert loaded.mode is Mode.MONITOR
    assert [(door.kind, door.name) for door in loaded.doors] == [
        (DoorKind.LOGIN, "POST /in"),
        (DoorKind.SIGNUP, "POST /signup"),
    ]
    assert loaded.limits.ip == (Limit(3, MINUTE), Limit(9, HOUR))
    assert loaded.limits.known_device == (Limit(7, DAY),)
    assert loaded.limits.account_failures_max == 50
    assert (loaded.namespace, loaded.mount) == ("shop-jp", "/a/b")
    assert loaded.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert loaded.trust_unix
    assert loaded.client_ip_header == "forwarded"
    assert loaded.device_headers == (b"user-agent", b"x-ja4")
    assert loaded.origins == {b"https://app.example", b"http://localhost:3000"}
    assert (loaded.on_store_failure, loaded.no_factor) == (StoreFailure.CLOSED, NoFactor.REFUSE)
    assert loaded.workers == 4
    assert loaded.allow == (ip_network("192.0.2.0/28"),)
    assert loaded.deny == (ip_network("2001:db8::/32"), ip_network("203.0.113.9/32"))
    assert (loaded.body_bytes_max, loaded.body_seconds_max) == (1024, 2.5)
    assert loaded.strangers_max == 16
    assert (loaded.store_deadline_us, loaded.memory_entries_max) == (100_000, 1000)
    assert (loaded.device_cookie, loaded.device_days) == ("__Host-x", 30)
    assert (loaded.corpus, loaded.corpus_days_max, loaded.pairs) == ("/srv/passwords", 90, "/srv/pairs")
    assert loaded.pairs_key == OTHER.encode() + b",with a comma"
    assert (loaded.hibp, loaded.hibp_url) == (True, "https://pwned.internal:8443")
    assert (loaded.exposed_header, loaded.breached_min) == ("exposed-credential-check", 10)


def test_a_field_has_the_name_of_its_setting() -> None:
    """Each field is read from the setting of its name; `PASSKEY_DOMAIN` alone becomes `rp_id`, as in WebAuthn."""
    assert {name: one.name for name, one in BY_FIELD.items() if name != one.name.lower()} == {"rp_id": "PASSKEY_DOMAIN"}


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.name)
def test_an_empty_setting_is_a_mistake(setting: settings.Setting[object]) -> None:
    """An empty setting is an error: a broken template must neither disable nor reset a protection."""
    ((name, problem),) = mistakes({setting.variable: "  "})

    assert name == setting.variable
    assert problem.startswith("is empty; ")


def test_an_empty_login_says_how_to_switch_off() -> None:
    """An empty LOGIN is an error that says how to switch the guard off."""
    assert problem_of("LOGIN", "") == (
        "is empty; without log-ins by password it is none; to switch the guard off, set SEKISHO_MODE=off"
    )


def test_a_service_may_have_no_log_in_by_password() -> None:
    """Codes or passkeys alone log in: by default `POST /login` would be a door that the application does not have."""
    found = load(LOGIN="none", CODE="POST /code form:phone,code")

    assert [door.name for door in found.doors] == ["POST /code"]


@pytest.mark.parametrize("others", [{}, {"SEKISHO_LOGOUT": "POST /logout"}])
def test_a_guard_without_any_door_does_not_start(others: dict[str, str]) -> None:
    """It would let every guess pass, and look as if it guarded."""
    assert mistakes({"SEKISHO_LOGIN": "none", **others}) == [(
        "SEKISHO_LOGIN", "is none, and no other setting names a door; to switch the guard off, set SEKISHO_MODE=off"
    )]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("MODE", "enforced", "is none of enforce, monitor, off"),
        ("NO_FACTOR", "allow", "is none of challenge, refuse"),
        ("ON_STORE_FAILURE", "fail", "is none of local, closed, open"),
        ("NAMESPACE", "a b", "wants 1 to 32 letters"),
        ("NAMESPACE", "a" * 33, "wants 1 to 32 letters"),
        ("NAMESPACE", "{shop}", "wants 1 to 32 letters"),
        ("MOUNT", "sekisho", "wants a path"),
        ("MOUNT", "/", "wants a path"),
        ("MOUNT", "/sekisho/", "wants a path"),
        ("MOUNT", "/a/../b", "wants a path"),
        ("WORKERS", "0", "is no whole number of processes between 1 and 4096"),
        ("WORKERS", "2.5", "is no whole number"),
        ("WORKERS", "1_0", "is no whole number"),
        ("WORKERS", "４", "is no whole number"),
        ("ACCOUNT_FAILURES_MAX", "101", "is no whole number of failures between 1 and 100"),
        ("BODY_BYTES_MAX", "1023", "between 1024 and 1048576"),
        ("BODY_BYTES_MAX", "64KiB", "is no whole number of bytes"),
        ("BODY_SECONDS_MAX", "nan", "is no number of seconds"),
        ("BODY_SECONDS_MAX", "inf", "is no number of seconds"),
        ("BODY_SECONDS_MAX", "0", "between 0.1 and 120"),
        ("BODY_SECONDS_MAX", "-1", "is no number"),
        ("STRANGERS_MAX", "0", "between 1 and 10000"),
        ("STORE_DEADLINE_MS", "0", "between 1 and 10000"),
        ("STORE_BYTES_MAX", "10", "between 1000000 and 1000000000000000"),
        ("MEMORY_ENTRIES_MAX", "9", "between 1000 and 10000000"),
        ("DEVICE_DAYS", "401", "between 1 and 400"),
        ("DEVICE_COOKIE", "a=b", "is no name a cookie can have"),
        ("CLIENT_IP_HEADER", "x forwarded", "is no name a header can have"),
        ("CLIENT_IP_HEADER", "x-real-ip\r\nx", "is no name a header can have"),
        ("DEVICE_HEADERS", "user-agent,cookie", "is secret or differs in every request"),
        ("DEVICE_HEADERS", "user-agent,User-Agent", "lists the same item twice"),
        ("DEVICE_HEADERS", "user-agent,,x", "has an empty item"),
        ("DEVICE_HEADERS", ",".join(f"x-{n}" for n in range(9)), "lists more than 8 items"),
        ("ORIGINS", "*", "wants origins such as"),
        ("ORIGINS", "https://*.example", "wants origins such as"),
        ("ORIGINS", "https://app.example/", "wants origins such as"),
        ("ORIGINS", "https://user@app.example", "wants origins such as"),
        ("ORIGINS", "app.example", "wants origins such as"),
        ("ORIGINS", "null", "wants origins such as"),
        ("ORIGINS", "https://app.example:65536", "wants origins such as"),
        ("ORIGINS", "file:///x", "wants origins such as"),
        ("CORPUS", "passwords", "wants an absolute path"),
        ("PAIRS", "./pairs", "wants an absolute path"),
        ("PAIRS_KEY", "short", "is shorter than 32 bytes"),
        ("HIBP", "of", "is neither true, yes, on, 1 nor false, no, off, 0"),
        ("HIBP_URL", "http://pwned.internal", "http on 127.0.0.1 alone"),
        ("HIBP_URL", "https://pwned.internal/range", "no path"),
        ("HIBP_URL", "pwned.internal", "wants an address such as"),
        ("BREACHED_MIN", "0", "between 1 and 32768"),
        ("CORPUS_DAYS_MAX", "0", "between 1 and 3650"),
    ],
)
def test_what_makes_no_sense_is_named(name: str, text: str, problem: str) -> None:
    """An error names the variable and the values that it accepts."""
    assert problem in problem_of(name, text)


def test_all_mistakes_are_reported_together() -> None:
    """All errors are reported together, under the first one's name."""
    with pytest.raises(SettingsError) as caught:
        settings.load({"SEKISHO_MODE": "on", "SEKISHO_WORKERS": "x", "SEKISHO_LIMITIP": "1/minute"})
    lines = str(caught.value).splitlines()

    assert [line.partition(":")[0] for line in lines] == [
        "SEKISHO_LIMITIP",
        "SEKISHO_SECRET",
        "SEKISHO_MODE",
        "SEKISHO_WORKERS",
    ]
    assert caught.value.name == "SEKISHO_LIMITIP"


def test_keywords_win_over_the_environment() -> None:
    """A keyword, written for this application, overrides the environment."""
    loaded = settings.load({"SEKISHO_SECRET": SECRET, "SEKISHO_LIMIT_IP": "?"}, {"limit_ip": "1/minute", "mode": None})

    assert loaded.limits.ip == (Limit(1, MINUTE),)
    assert loaded.mode is Mode.ENFORCE


def test_a_keyword_file_wins_over_the_variable(tmp_path: Path) -> None:
    """A keyword file, as a path or text, overrides the variable, and nothing is reported twice."""
    (tmp_path / "secret").write_text(OTHER)

    assert settings.load({"SEKISHO_SECRET": SECRET}, {"secret_file": tmp_path / "secret"}).secrets == (OTHER.encode(),)


def test_keywords_take_values_where_that_is_natural() -> None:
    """Keywords take enumerations, numbers and lists; an empty list means *none*."""
    loaded = settings.load(
        {"SEKISHO_SECRET": SECRET, "SEKISHO_DENY": "192.0.2.1"},
        {
            "mode": Mode.MONITOR,
            "on_store_failure": StoreFailure.OPEN,
            "trusted_proxies": ["10.0.0.0/8", ip_network("fd00::/8")],
            "login": ["POST /a", "POST /b"],
            "limit_ip": ("5/minute", "9/hour"),
            "body_seconds_max": 2.5,
            "device_days": 30,
            "deny": [],
        },
    )

    assert (loaded.mode, loaded.on_store_failure) == (Mode.MONITOR, StoreFailure.OPEN)
    assert loaded.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert [door.name for door in loaded.doors] == ["POST /a", "POST /b"]
    assert loaded.limits.ip == (Limit(5, MINUTE), Limit(9, HOUR))
    assert (loaded.body_seconds_max, loaded.device_days, loaded.deny) == (2.5, 30, ())


@pytest.mark.parametrize(
    ("keyword", "value", "problem"),
    [
        ("mode", {"a": 1}, "wants text, a number or a member of its enumeration, not dict"),
        ("limit_ip", [["5/minute"]], "wants text, or a list of texts, not list"),
        ("limit_ip", [], "is empty; unset it for its default"),
        (
            "secret",
            "",
            "is empty; make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'",
        ),
        ("trusted_proxies", "10.0.0.0/8 172.16.0.0/12", "item 1 has a blank inside; write commas between networks"),
        ("mode", ["enforce"], "wants text, a number or a member of its enumeration, not list"),
        ("workers", True, "is no whole number of processes between 1 and 4096"),
        ("store", b"redis://redis", "wants text, a number or a member of its enumeration, not bytes"),
        ("secret_file", 7, "is no path"),
    ],
)
def test_keywords_of_the_wrong_kind_are_named(keyword: str, value: object, problem: str) -> None:
    """A keyword of the wrong type is named with its variable."""
    assert mistakes({}, **{keyword: value}) == [(f"SEKISHO_{keyword.upper()} (keyword {keyword})", problem)]


def test_a_list_of_domains_is_read_at_the_start(tmp_path: Path) -> None:
    """A missing file and a line that is no domain stop the start; neither the path nor the line is shown."""
    listed = tmp_path / "secret-name"
    assert "cannot be read (FileNotFoundError)" in problem_of("DISPOSABLE_DOMAINS", str(listed))
    listed.write_text("# none\n\n*.Trash.Example # a\n@gone.example.\n屑.example\n")
    found = load(DISPOSABLE_DOMAINS=str(listed)).disposable_domains
    assert found == {"trash.example", "gone.example", "xn--ugt.example"}
    listed.write_text("trash.example\nnot a domain\n")
    problem = problem_of("DISPOSABLE_DOMAINS", str(listed))
    assert "line 2 is no domain" in problem
    assert "secret-name" not in problem
    assert "wants an absolute path" in problem_of("DISPOSABLE_DOMAINS", "domains.txt")
