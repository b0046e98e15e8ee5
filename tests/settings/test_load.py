"""Loading environment and keywords: strict, all errors at once, and no value in any error."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho import settings
from sekisho.model import DoorKind, Limit, LimitSet, Mode, SettingsError
from sekisho.settings import NoFactor, StoreFailure
from sekisho.settings.files import read_file
from sekisho.settings.values import BY_FIELD
from tests.settings.loading import SECRET, load

OTHER = "Zq9_aLx3Wm6Rt0Vb8Ye1Kc4Nj7Hs2DgU"
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def mistakes(environ: dict[str, str], **overrides: object) -> list[tuple[str, str]]:
    with pytest.raises(SettingsError) as caught:
        settings.load({"SEKISHO_SECRET": SECRET, **environ}, overrides)
    assert isinstance(caught.value, settings.SettingsErrors)
    return [(mistake.name, mistake.problem) for mistake in caught.value.mistakes]


def wrong(name: str, text: str) -> str:
    """The problem of one variable, which must be the only one."""
    ((variable, problem),) = mistakes({f"SEKISHO_{name}": text})
    assert variable == f"SEKISHO_{name}"
    return problem


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


# --- the secret


def test_a_field_has_the_name_of_its_setting() -> None:
    """Each field is read from the setting of its name; `PASSKEY_DOMAIN` alone becomes `rp_id`, as in WebAuthn."""
    assert {name: one.name for name, one in BY_FIELD.items() if name != one.name.lower()} == {"rp_id": "PASSKEY_DOMAIN"}


def test_without_a_secret_nothing_starts() -> None:
    """There is no default secret, as readers of this code would know it."""
    with pytest.raises(SettingsError, match=r"^SEKISHO_SECRET: is not set\. Make one with: python3 -c"):
        settings.load({})


def test_demonstrations_bring_their_own_secret() -> None:
    """Demonstrations generate an ephemeral secret with a warning if none is set."""
    made_up = SECRET.encode()
    loaded = settings.load({}, ephemeral_secret=made_up)

    assert loaded.secrets == (made_up,)
    assert loaded.is_secret_made_up
    own = settings.load({"SEKISHO_SECRET": OTHER}, ephemeral_secret=made_up)
    assert (own.secrets, own.is_secret_made_up) == ((OTHER.encode(),), False)


def test_an_ephemeral_secret_does_not_excuse_a_bad_one() -> None:
    """A secret that is set and too short is an error in demonstrations too."""
    with pytest.raises(SettingsError, match="shorter than 32 bytes"):
        settings.load({"SEKISHO_SECRET": "short"}, ephemeral_secret=SECRET.encode())


def test_secrets_rotate_newest_first() -> None:
    """Two secrets are comma-separated, the newest first."""
    assert settings.load({"SEKISHO_SECRET": f"{OTHER}, {SECRET}"}).secrets == (OTHER.encode(), SECRET.encode())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x" * 64, "repeats itself"),
        ("changeme" * 4, "repeats itself"),
        ("0123456789abcdef" * 4, "repeats itself"),
        ("abcabbacabcbbaccbaabbccabacbacbacca", "repeats itself"),
        (SECRET[:31], "shorter than 32 bytes"),
        (f"{SECRET},{SECRET}", "twice"),
        (f"{SECRET},", "empty item"),
        (f"{SECRET},short", "number 2 of 2 secrets (a comma separates them) is shorter"),
        (",".join(SECRET[n:] + SECRET[:n] for n in range(9)), "more than 8"),
    ],
)
def test_a_guessable_secret_is_refused(text: str, problem: str) -> None:
    """A secret that is too short, repetitive, doubled or one too many is refused."""
    assert problem in wrong("SECRET", text)


@given(st.binary(min_size=32, max_size=64).filter(lambda secret: len(set(secret)) > 20))
def test_random_bytes_are_taken_whole(secret: bytes) -> None:
    """A comma within random bytes separates nothing, and no byte is lost."""
    assert settings.load({}, {"secret": secret}).secrets == (secret,)
    assert settings.load({}, {"secret": [secret, SECRET]}).secrets == (secret, SECRET.encode())


def test_random_bytes_are_held_to_the_same_strength() -> None:
    """A secret of random bytes must be as long."""
    with pytest.raises(SettingsError, match="shorter than 32 bytes"):
        settings.load({}, {"secret": b"short"})
    with pytest.raises(SettingsError, match="wants between one and 8 secrets"):
        settings.load({}, {"secret": [f"{SECRET}{number}" for number in range(9)]})
    with pytest.raises(SettingsError, match="lists the same secret twice"):
        settings.load({}, {"secret": [SECRET, SECRET.encode()]})


# --- files


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """A secret may be in a file, as container platforms mount it, with or without a final line break."""
    path = tmp_path / "secret"
    for ending in ("", "\n", "\r\n"):
        path.write_bytes(SECRET.encode() + ending.encode())
        assert settings.load({"SEKISHO_SECRET_FILE": str(path)}).secrets == (SECRET.encode(),)


def test_a_stores_url_may_stand_in_a_file(tmp_path: Path) -> None:
    """A store's URL, which has a password, may be in a file."""
    path = tmp_path / "store"
    path.write_text("rediss://:pw@redis:6380/0\n")

    assert load(STORE_FILE=str(path)).store == "rediss://:pw@redis:6380/0"


def test_a_secret_given_twice_is_a_mistake(tmp_path: Path) -> None:
    """A secret set twice is an error, as either could count."""
    path = tmp_path / "secret"
    path.write_text(OTHER)

    assert mistakes({"SEKISHO_SECRET_FILE": str(path)}) == [
        ("SEKISHO_SECRET", "is set, and SEKISHO_SECRET_FILE too; keep one of them")
    ]


def test_unreadable_files_are_named_by_their_variable(tmp_path: Path) -> None:
    """A file that is missing, a folder, no text or too long is named by its variable, without path or content."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 20)
    (tmp_path / "long").write_bytes(b"a" * 70_000)
    expected = {
        "missing": "points to a file that cannot be read (FileNotFoundError)",
        ".": "points to what is neither a regular file nor a FIFO",
        "binary": "points to a file that is no UTF-8 text, or is no path",
        "long": "points to a file of more than 65536 bytes",
    }
    for name, problem in expected.items():
        with pytest.raises(SettingsError) as caught:
            settings.load({"SEKISHO_SECRET_FILE": str(tmp_path / name)})
        assert str(caught.value).splitlines() == [f"SEKISHO_SECRET_FILE: {problem}"]


def test_a_fifo_hands_a_secret_over(tmp_path: Path) -> None:
    """A FIFO may hold the secret, as vault agents use it; its writer may come late and write in pieces."""
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def write() -> None:
        with path.open("w") as file:
            for piece in (SECRET[:7], SECRET[7:], "\n"):
                file.write(piece)
                file.flush()

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        assert settings.load({"SEKISHO_SECRET_FILE": str(path)}).secrets == (SECRET.encode(),)
        written.result(10)


def test_a_fifo_that_nobody_writes_to_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO without a writer, or never closed, is reported as an error and does not block the start."""
    monkeypatch.setattr("sekisho.settings.source.read_file", partial(read_file, seconds_max=0.05))
    path = tmp_path / "fifo"
    os.mkfifo(path)
    problem = "points to what is a FIFO that nobody has written to, and closed, within 0.05 seconds"

    assert ("SEKISHO_SECRET_FILE", problem) in mistakes_of(path)
    descriptor = os.open(path, os.O_RDWR)
    os.write(descriptor, b"half of a sec")
    assert ("SEKISHO_SECRET_FILE", problem) in mistakes_of(path)
    os.close(descriptor)


def test_a_device_is_no_settings_file() -> None:
    """A device such as `/dev/zero`, which has no end, is refused."""
    problem = "points to what is neither a regular file nor a FIFO"
    assert ("SEKISHO_SECRET_FILE", problem) in mistakes_of(Path("/dev/zero"))


def mistakes_of(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(settings.SettingsErrors) as caught:
        settings.load({"SEKISHO_SECRET_FILE": str(path)})
    return [(one.name, one.problem) for one in caught.value.mistakes]


def test_only_secrets_have_files() -> None:
    """`SEKISHO_MODE_FILE` is no setting."""
    assert mistakes({"SEKISHO_MODE_FILE": "/x"})[0][0] == "SEKISHO_MODE_FILE"


# --- names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SEKISHO_LIMITIP", "SEKISHO_LIMIT_IP"),
        ("SEKISHO_LIMIT_ACOUNT", "SEKISHO_LIMIT_ACCOUNT"),
        ("SEKISHO_TRUSTED_PROXY", "SEKISHO_TRUSTED_PROXIES"),
        ("SEKISHO_SECRETFILE", "SEKISHO_SECRET_FILE"),
        ("sekisho_mode", "SEKISHO_MODE"),
        ("SEKISHO_DOOR", "SEKISHO_LOGIN"),
        ("SEKISHO_DOORS", "SEKISHO_LOGIN"),
        ("SEKISHO_REDIS_URL", "SEKISHO_STORE"),
        ("SEKISHO_LIMIT_DEVICE_BUCKET", "SEKISHO_LIMIT_LANE"),
        ("SEKISHO_SECRET_KEY", "SEKISHO_SECRET"),
        ("SEKISHO_ENABLED", "SEKISHO_MODE"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    """A misspelt name gets the nearest real one: a setting almost set protects nothing."""
    assert mistakes({name: "x"}) == [(name, f"is no setting of sekisho; did you mean {nearest}?")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MODE", '"monitor"'),
        ("LOGIN", "'POST /login form:username,password'"),
        ("STORE", '"redis://localhost"'),
        ("TRUSTED_PROXIES", '"10.0.0.0/8"'),
    ],
)
def test_quotation_marks_are_recognised(name: str, text: str) -> None:
    """Shells take quotation marks away, and `docker run --env-file` does not: the error says so, without the value."""
    problem = wrong(name, text)

    assert problem.endswith(
        "(it is in quotation marks, which count as part of it here: docker run --env-file keeps them; write none)"
    )
    assert text not in problem


def test_a_wrong_value_without_quotation_marks_gets_no_such_hint() -> None:
    """Other mistakes are not explained by quotation marks."""
    assert wrong("MODE", "monitored") == "is none of enforce, monitor, off"


def test_a_name_near_nothing_is_told_where_to_look() -> None:
    """A name unlike any setting gets the command that lists them."""
    ((_, problem),) = mistakes({"SEKISHO_XYZZY": "x"})

    assert "python -m sekisho.settings" in problem


def test_a_misspelt_keyword_is_answered_with_the_nearest() -> None:
    """A misspelt keyword gets the nearest real one, with or without the prefix."""
    assert mistakes({}, limit_ipp="x") == [("limit_ipp", "is no setting of sekisho; did you mean limit_ip?")]
    assert mistakes({}, SEKISHO_MODE="off") == [("SEKISHO_MODE", "is no setting of sekisho; did you mean mode?")]


@pytest.mark.parametrize(
    "name",
    [
        "SEKISHO_PORT",
        "SEKISHO_PORT_8000_TCP_ADDR",
        "SEKISHO_SERVICE_HOST",
        "SEKISHO_SERVICE_PORT_HTTP",
        "SEKISHO_REDIS_SERVICE_HOST",
        "SEKISHO_REDIS_PORT",
        "SEKISHO_REDIS_PORT_6379_TCP_PROTO",
    ],
)
def test_what_kubernetes_injects_is_ignored(name: str) -> None:
    """Variables injected by Kubernetes for a Service called sekisho or sekisho-redis are ignored."""
    settings.load({"SEKISHO_SECRET": SECRET, name: "tcp://10.0.0.1:8000"})


def test_names_of_others_are_nobodys_business() -> None:
    """Names without our prefix are ignored."""
    settings.load({"SEKISHO_SECRET": SECRET, "PATH": "/bin", "SEKISHOMODE": "x", "MY_SEKISHO_MODE": "x"})


# --- values


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.name)
def test_an_empty_setting_is_a_mistake(setting: settings.Setting[object]) -> None:
    """An empty setting is an error: a broken template must neither disable nor reset a protection."""
    ((name, problem),) = mistakes({setting.variable: "  "})

    assert name == setting.variable
    assert problem.startswith("is empty; ")


def test_an_empty_login_says_how_to_switch_off() -> None:
    """An empty LOGIN is an error that says how to switch the guard off."""
    assert wrong("LOGIN", "") == "is empty; to switch the guard off, set SEKISHO_MODE=off"


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
    assert problem in wrong(name, text)


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


# --- contradictions


def test_several_workers_cannot_share_memory() -> None:
    """Several workers cannot use memory: each would admit the whole limit."""
    assert "cannot count together" in wrong("WORKERS", "2")
    assert load(WORKERS="1").workers == 1
    assert load(WORKERS="2", STORE="redis://redis").workers == 2


def test_two_settings_cannot_name_one_door() -> None:
    """Two settings cannot name one door: a sign-up door at the log-in's route would have no effect."""
    ((name, problem),) = mistakes({"SEKISHO_SIGNUP": "POST /login"})

    assert name == "SEKISHO_SIGNUP"
    assert "already is a door" in problem


def test_a_stand_in_for_a_mistake_contradicts_nobody() -> None:
    """A wrong setting's default contradicts nothing: no further error for SIGNUP or WORKERS."""
    assert [name for name, _ in mistakes({"SEKISHO_LOGIN": "?", "SEKISHO_SIGNUP": "POST /login"})] == ["SEKISHO_LOGIN"]
    assert [name for name, _ in mistakes({"SEKISHO_STORE": "?", "SEKISHO_WORKERS": "2"})] == ["SEKISHO_STORE"]


def test_no_door_lies_below_our_own_pages() -> None:
    """A door below our own pages is refused, as it would never be reached."""
    ((name, _),) = mistakes({"SEKISHO_LOGIN": "POST /sekisho/login"})

    assert name == "SEKISHO_MOUNT"


def test_pairs_are_read_under_a_key_of_their_own() -> None:
    """Pairs need their own key: without it the file is useless, and the service's secret would let its builder sign
    tokens.
    """
    ((name, problem),) = mistakes({"SEKISHO_PAIRS": "/srv/pairs"})
    assert (name, "only be read with its key" in problem) == ("SEKISHO_PAIRS_KEY", True)

    ((name, problem),) = mistakes({"SEKISHO_PAIRS": "/srv/pairs", "SEKISHO_PAIRS_KEY": SECRET})
    assert (name, "a key of their own" in problem) == ("SEKISHO_PAIRS_KEY", True)


def test_a_header_is_believed_from_somebody() -> None:
    """A header about leaks needs a trusted proxy: any client could write it."""
    assert "names none" in wrong("EXPOSED_HEADER", "exposed-credential-check")
    for trusted in ("unix", "10.0.0.0/8"):
        assert load(EXPOSED_HEADER="x-exposed", TRUSTED_PROXIES=trusted).exposed_header == "x-exposed"


# --- keyword arguments


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
        ("mode", ["enforce"], "wants text, a number or a member of its enumeration, not list"),
        ("workers", True, "is no whole number of processes between 1 and 4096"),
        ("store", b"redis://redis", "wants text, a number or a member of its enumeration, not bytes"),
        ("secret_file", 7, "is no path"),
    ],
)
def test_keywords_of_the_wrong_kind_are_named(keyword: str, value: object, problem: str) -> None:
    """A keyword of the wrong type is named with its variable."""
    assert mistakes({}, **{keyword: value}) == [(f"SEKISHO_{keyword.upper()} (keyword {keyword})", problem)]


# --- no values shown

CANARY = "C4n4ry-p@ss:w0rd/\"'%{}"


def told(environ: dict[str, str], overrides: dict[str, object]) -> str:
    """All text that loading produces, with or without success."""
    try:
        return repr(settings.load({"SEKISHO_SECRET": SECRET, **environ}, overrides))
    except settings.SettingsErrors as error:
        led_to = [
            error.__context__,
            *(hidden for one in error.mistakes for hidden in (one.__context__, one.__traceback__)),
        ]
        return "".join([str(error), repr(error), repr(error.mistakes), *map(repr, filter(None, led_to))])


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.name)
@pytest.mark.parametrize(
    "shape",
    ["{}", "redis://:{}@h:x/", "memory://{}", "POST /{} form", "POST {}", "5/minute;{}", "https://{}", "10.0.0.0/{}"],
)
def test_no_value_is_in_any_error(setting: settings.Setting[object], shape: str) -> None:
    """A password in the wrong variable is in no message, `repr` or attached exception."""
    text = shape.replace("{}", CANARY)

    assert "traceback object" not in told({setting.variable: text}, {})
    assert "c4n4ry" not in told({setting.variable: text}, {}).lower()
    assert "c4n4ry" not in told({}, {setting.name.lower(): [text]}).lower()
    assert "c4n4ry" not in told({f"{setting.variable}_FILE": text}, {}).lower()


def test_secrets_stores_and_addresses_are_in_no_representation() -> None:
    """Secrets, stores and addresses are in no `repr`."""
    loaded = load(
        STORE="redis://:sesame@redis:6379/0",
        TRUSTED_PROXIES="192.0.2.7",
        ALLOW="198.51.100.7",
        DENY="203.0.113.7",
        PAIRS="/srv/pairs",
        PAIRS_KEY=OTHER,
    )
    said = repr(loaded)

    assert not [part for part in (SECRET, OTHER, "sesame", "redis://", "192.0.2", "198.51", "203.0") if part in said]


def test_accounts_of_all_doors_have_as_many_parts() -> None:
    """An account that is called `shop/hana` at one door would have the devices of `hana` in the tenant `shop`."""
    realm = "POST /realms/{realm}/login form:username,password account={realm}/{username}"
    assert load(LOGIN=realm).account_parts == 2
    assert load().account_parts == 1
    assert "another number of parts" in wrong("LOGIN", f"{realm}; POST /login")
    environ = {"SEKISHO_LOGIN": realm, "SEKISHO_RESET": "POST /reset form:email"}
    ((name, problem),) = mistakes(environ)
    assert (name, "account=main/{username}" in problem) == ("SEKISHO_RESET", True)
    fixed = load(LOGIN=f"{realm}; POST /login form:user,password account=main/{{user}}", RESET="POST /done form:,key")
    assert [door.tenant for door in fixed.doors] == [("{realm}",), ("main",), ()]


def test_a_list_of_domains_is_read_at_the_start(tmp_path: Path) -> None:
    """A missing file and a line that is no domain stop the start; neither the path nor the line is shown."""
    listed = tmp_path / "secret-name"
    assert "cannot be read (FileNotFoundError)" in wrong("DISPOSABLE_DOMAINS", str(listed))
    listed.write_text("# none\n\n*.Trash.Example # a\n@gone.example.\n屑.example\n")
    found = load(DISPOSABLE_DOMAINS=str(listed)).disposable_domains
    assert found == {"trash.example", "gone.example", "xn--ugt.example"}
    listed.write_text("trash.example\nnot a domain\n")
    problem = wrong("DISPOSABLE_DOMAINS", str(listed))
    assert "line 2 is no domain" in problem
    assert "secret-name" not in problem
    assert "wants an absolute path" in wrong("DISPOSABLE_DOMAINS", "domains.txt")
