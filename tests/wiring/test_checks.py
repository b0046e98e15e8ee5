"""The mistakes that rooms find in settings: their numbers, the lines to write, and that all commands find them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import sekisho
from sekisho.crypto.checks import is_guessable
from sekisho.settings import Settings, extras, load
from sekisho.wiring import LoginGuard
from sekisho.wiring.checks import ROOMS, diagnoses_of, examined
from tests.cli.operating import command, run

SECRET = "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8"
OWNERS = {
    "OWNERS": "sqlite+aiosqlite:////tmp/owners",
    "OWNERS_QUERY": "select email, locale from users where username = :account",
}
MAIL = {"SMTP": "smtps://relay.example", "MAIL_FROM": "no-reply@shop.example", "ACCOUNT_PAGE": "shop.example/me"}
FACTORS = {"FACTORS": "totp,email", "SERVICE_NAME": "Shop", **OWNERS, **MAIL}


def loaded(**variables: str) -> Settings:
    return load({"SEKISHO_SECRET": SECRET, **{f"SEKISHO_{name}": text for name, text in variables.items()}})


def warned(**variables: str) -> list[str]:
    """The setting that each diagnosis begins with."""
    return [each.what.partition(":")[0].removeprefix("SEKISHO_") for each in diagnoses_of(loaded(**variables))]


def found(**variables: str) -> dict[str, str]:
    """The line to write for each number, apart from those that every one of these settings has."""
    usual = {
        "SECRET": SECRET,
        "LOGIN": "POST /login success=302:/home",
        "NO_FACTOR": "refuse",
        "STORE": "redis://redis",
    }
    environ = {f"SEKISHO_{name}": value for name, value in (usual | variables).items() if name != "WEB_CONCURRENCY"}
    environ |= {name: value for name, value in variables.items() if name == "WEB_CONCURRENCY"}
    return {each.hazard.number: each.write for each in diagnoses_of(load(environ))}


def test_sound_settings_have_no_diagnosis() -> None:
    """Nothing is said about settings that are right."""
    assert found() == {}


@pytest.mark.parametrize(
    ("variables", "number", "line"),
    [
        ({"MODE": "monitor"}, "SEK003", "SEKISHO_MODE=enforce"),
        ({"STORE": "memory://"}, "SEK004", "SEKISHO_STORE=redis://HOST:6379/0"),
        ({"ON_STORE_FAILURE": "open"}, "SEK006", "SEKISHO_ON_STORE_FAILURE=local"),
        ({"NO_FACTOR": "challenge"}, "SEK007", "SEKISHO_FACTORS=webauthn,totp,email"),
        ({"DEVICE_COOKIE": "device"}, "SEK009", "SEKISHO_DEVICE_COOKIE=__Host-sekisho"),
        (
            {"LOGIN": "POST /sign-in form:email,pin"},
            "SEK010",
            "SEKISHO_LOGIN=POST /sign-in form:email,pin success=302:/home",
        ),
        ({"SECRET": "changeme-changeme!changeme?changeme"}, "SEK002", ""),
        ({"STORE": "rediss://redis?ssl_cert_reqs=none"}, "SEK005", "SEKISHO_STORE=rediss://HOST:6380/0?ssl_ca_certs="),
        (
            {"RESET": "POST /reset form:,token,password", **FACTORS},
            "SEK011",
            "SEKISHO_RESET=POST /reset form:,token,password success=302:/login",
        ),
        ({"LOGIN": "GET /api/* basic"}, "SEK013", "SEKISHO_LOGIN=GET /api/* basic success=!401,403"),
        ({"LOGIN": "* /api/* basic success=!401,403", **FACTORS}, "SEK088", 'factors="none"'),
        ({"ORIGINS": "https://app.example", **FACTORS}, "SEK015", "SameSite=None; Partitioned"),
        ({**FACTORS, "SERVICE_NAME": "this service"}, "SEK017", "SEKISHO_SERVICE_NAME="),
        ({"STEP_UP": "attack"}, "SEK025", "SEKISHO_FACTORS=webauthn,totp,email"),
    ],
)
def test_a_diagnosis_has_its_number_and_the_line_to_write(variables: dict[str, str], number: str, line: str) -> None:
    """The line is that of this deployment where it can be: a door as it is in the settings, with a rule."""
    lines = found(**variables)

    assert list(lines) == [number]
    assert line in lines[number]


@pytest.mark.parametrize(
    ("processes", "is_found"), [("2", True), ("64", True), ("1", False), ("", False), ("x", False)]
)
def test_several_processes_cannot_count_in_memory(processes: str, is_found: bool) -> None:
    """Uvicorn and gunicorn start as many workers as `WEB_CONCURRENCY` says; with a shared store that is right."""
    assert ("SEK021" in found(STORE="memory://", WEB_CONCURRENCY=processes)) is is_found
    assert "SEK021" not in found(WEB_CONCURRENCY=processes)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("/venv/bin/uvicorn --workers 2 app:app", 2),
        ("/venv/lib/uvicorn/__main__.py app:app --workers=3", 3),
        ("/venv/bin/gunicorn -w 4 app:app", 4),
        ("/venv/bin/fastapi run app.py --workers 2", 2),
        ("/venv/bin/uvicorn app:app", 1),
        ("/venv/bin/uvicorn app:app --workers", 1),
        ("/venv/bin/pytest -w 4", 1),
        ("", 1),
    ],
)
def test_the_servers_command_line_says_how_many_it_starts(line: str, number: int) -> None:
    """`uvicorn --workers 2` counts twice in memory, as with the variable; other programs' options mean other things."""
    assert load({"SEKISHO_SECRET": SECRET}, argv=line.split()).processes == number
    assert load({"SEKISHO_SECRET": SECRET, "WEB_CONCURRENCY": "9"}, argv=line.split()).processes == 9


@pytest.mark.parametrize(
    ("secret", "is_found"),
    [(f'"{SECRET}"', True), (f"'{SECRET}'", True), (f'"{SECRET}', False), (f"{SECRET}'", False), (SECRET, False)],
)
def test_a_quoted_secret_is_told(secret: str, is_found: bool) -> None:
    """The service of a Docker file and a command of its operator's shell would have two secrets."""
    assert ("SEK027" in found(SECRET=secret)) is is_found


@pytest.mark.parametrize(
    "secret",
    [
        b"abcdefghijklmnopqrstuvwxyz012345",
        b"0123456789abcdefghijklmnopqrstuv",
        b"aaabbbcccdddeeefffggghhhiiijjjkkk",
        b"qwertyuiopasdfghjklzxcvbnm,./;'[]",
        b"please-change-this-value-before-use",
        b"my-very-own-SECRET-for-this-service",
    ],
)
def test_a_typed_secret_is_guessable(secret: bytes) -> None:
    """An alphabet, a keyboard's row and a placeholder are found in every guesser's list."""
    assert is_guessable(secret)


@pytest.mark.parametrize(
    "secret",
    [
        SECRET.encode(),
        b"9f86d081884c7d659a2feaa0c55ad015",  # hexadecimal digits
        b"27182818284590452353602874713527",  # decimal digits
        bytes.fromhex("b1e9c0027f4d1a93d8e6507c3fa28be4719ad35c06f248eb95107d6ac3f8e241"),
    ],
)
def test_a_random_secret_is_not(secret: bytes) -> None:
    """Random text is no guessable secret, regardless of its alphabet."""
    assert not is_guessable(secret)


def test_breached_passwords_that_nobody_would_see_are_warned_of() -> None:
    """Breach checks without an effect are warned of, such as a door without a named new password, or a refusal of two
    in five.
    """
    lines = found(CORPUS="/srv/passwords", CHANGE="POST /password form:user,old", NO_FACTOR="refuse")
    assert set(lines) == {"SEK008", "SEK012"}
    assert "SEK012" not in found(CORPUS="/srv/passwords", CHANGE="POST /password form:user,old,new")


def test_what_works_but_may_not_be_meant_is_warned_of() -> None:
    """A working but doubtful setting gives a warning that begins with the variable to set; they come by number."""
    doubtful = {"STORE": "rediss://redis?ssl_cert_reqs=none", "MODE": "monitor", "ON_STORE_FAILURE": "open"}
    assert warned(**doubtful, DEVICE_COOKIE="device") == [
        "MODE",
        "STORE",
        "ON_STORE_FAILURE",
        "NO_FACTOR",
        "DEVICE_COOKIE",
        "LOGIN",
    ]


def test_a_secret_that_was_made_up_is_warned_of() -> None:
    """Demonstrations make up a secret; the start says that its signatures end with the process."""
    made_up = diagnoses_of(load({}, ephemeral_secret=SECRET.encode()))
    assert made_up[0].logged.startswith("SEKISHO_SECRET: made up for this process")
    assert made_up[0].logged.endswith("[SEK001]")


def test_factors_that_must_be_enrolled_first_are_warned_of() -> None:
    """Factors that must be enrolled first are warned of, and then not the lack of factors."""
    usual = {"STORE": "redis://redis", "LOGIN": "POST /login success=302:/home"}
    assert warned(FACTORS="totp", **usual, **OWNERS) == ["FACTORS"]
    assert warned(FACTORS="totp,email", SERVICE_NAME="Shop", **usual, **OWNERS, **MAIL) == []
    assert warned(FACTORS="email", **usual, **OWNERS, **MAIL) == ["SERVICE_NAME"]
    assert warned(**usual) == ["NO_FACTOR"]


def test_work_that_cannot_be_asked_for_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is off where its package is missing, and the warning says how to install it."""
    there = extras._is_there
    monkeypatch.setattr(extras, "_is_there", lambda module: module != "altcha" and there(module))
    assert found()["SEK016"] == "pip install '.[step-up]' in a checkout of sekisho"


def test_without_the_applications_word_a_guessed_session_is_said() -> None:
    """Rows 4.17 and 5.22: without the application's word a guessed session is warned of, with the line to write."""
    variables = {"PROTECT": "POST /pay max_age=60", "FACTORS": "totp", **OWNERS}
    variables["CODE"] = "POST /code form:,code; POST /code/send form:username"
    told = {each.hazard.number: each.what for each in diagnoses_of(loaded(**variables))}

    assert "success=cookie:NAME" in told["SEK018"]
    assert "POST /code names no account" in told["SEK019"]


def test_with_the_applications_word_no_session_is_guessed() -> None:
    """`session_account` maps each session, so no rule has to name its cookie."""
    environ = {"SEKISHO_SECRET": SECRET, "SEKISHO_CODE": "POST /code form:,code", "SEKISHO_LINK": "POST /link form:a,b"}
    numbers = {each.hazard.number for each in diagnoses_of(load(environ, has_session_account=True))}
    assert not numbers & {"SEK018", "SEK019", "SEK083"}


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({}, ["SEK083"]),
        ({"FACTORS": "totp", "LOGIN": "GET /api basic success=!401"}, ["SEK018", "SEK083"]),
        ({"FACTORS": "totp"}, ["SEK018"]),
        ({"FACTORS": "totp", "LOGIN": "POST /login success=cookie:session"}, []),
    ],
)
def test_an_account_that_links_another_unknown_is_said(variables: dict[str, str], lines: list[str]) -> None:
    """At `LINK` doors the log names what is missing to know the account that links another."""
    owners = OWNERS if "FACTORS" in variables else {}
    diagnoses = diagnoses_of(loaded(LINK="POST /link form:number,pin", **variables, **owners))
    told = {each.hazard.number: each.what for each in diagnoses}
    assert [number for number in told if number in {"SEK018", "SEK083"}] == lines
    if lines == ["SEK018", "SEK083"]:
        assert "POST /link links" in told["SEK083"]
        assert "no owner can show the proof" in told["SEK083"]


def test_where_all_is_named_there_is_nothing_to_say() -> None:
    """With a cookie's rule, and codes that name their account, there is no such warning."""
    assert found(LOGIN="POST /login success=cookie:session", CODE="POST /code form:username,code") == {}


# --- one list


def test_the_list_has_the_checks_of_every_room() -> None:
    """A room whose checks are forgotten in the list would be silent."""
    root = Path(sekisho.__file__).parent
    rooms = {path.parent.name for path in root.rglob("checks.py")} - {"wiring"}
    listed = {checks.__module__.split(".")[1] for checks in ROOMS}
    assert rooms - {"mail"} == listed - {"wiring"}
    lazy = {checks.__name__ for checks in ROOMS if checks.__module__.split(".")[1] == "wiring"}
    assert lazy == {"_of_mail", "_of_outer_services"}


MISTAKES = [
    ({"SMTP": "smtp+plain://post:hunter2@relay.example"}, "SEKISHO_SMTP"),
    ({"ACCOUNT_PAGE": "shop.example/'hunter2"}, "SEKISHO_ACCOUNT_PAGE"),
    ({"OWNERS_QUERY": "delete from hunter2 where username = :account"}, "SEKISHO_OWNERS_QUERY"),
    ({"OWNERS": "mysql://hunter2@db.example"}, "SEKISHO_OWNERS"),
]


@pytest.mark.parametrize(("variables", "name"), MISTAKES)
def test_a_mistake_stops_the_start_and_every_command_names_it(
    variables: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start, `sekisho settings` and `sekisho doctor` name the setting; none shows its value."""
    sound = {"SECRET": SECRET, "FACTORS": "email", **OWNERS, **MAIL}
    for variable, value in (sound | variables).items():
        monkeypatch.setenv(f"SEKISHO_{variable}", value)
    problem = LoginGuard(nothing).problem
    settings, doctor = run("settings", "--json"), run("doctor")

    assert problem.startswith(f"{name}: ")
    assert settings.code == 1
    assert [each["name"] for each in json.loads(settings.out)["mistakes"]] == [name]
    assert (doctor.code, doctor.err) == (2, f"{problem}\n")
    assert "hunter2" not in problem + doctor.err + str(json.loads(settings.out)["mistakes"])


def test_all_mistakes_of_all_rooms_are_told_at_once() -> None:
    """An operator would otherwise correct one mistake per restart."""
    several = MISTAKES[0][0] | MISTAKES[3][0]
    stopped = examined(loaded(**{"FACTORS": "email", **OWNERS, **MAIL, **several}))
    assert [each.name for each in stopped.mistakes] == ["SEKISHO_OWNERS", "SEKISHO_SMTP"]


def test_a_missing_package_is_told_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room whose package is missing cannot be asked, and must not fail with another error."""
    there = extras._is_there
    monkeypatch.setattr(extras, "_is_there", lambda module: module != "aiosmtplib" and there(module))
    (mistake,), diagnoses = examined(loaded(FACTORS="email", **OWNERS, **MAIL))
    assert str(mistake).startswith("SEKISHO_SMTP: needs aiosmtplib")
    assert diagnoses == ()


async def test_start_and_commands_find_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of the start, `sekisho settings` and `sekisho doctor` have the same numbers."""
    monkeypatch.setenv("SEKISHO_SECRET", SECRET)
    monkeypatch.setenv("SEKISHO_MODE", "monitor")
    monkeypatch.setenv("SEKISHO_CANARY", "off")
    numbers = ["SEK003", "SEK004", "SEK007", "SEK010"]
    guard = LoginGuard(nothing)
    with caplog.at_level(logging.WARNING, "sekisho"):
        await guard({"type": "http", "path": "/login", "method": "GET", "headers": []}, nothing, nothing)
    await guard._stop()

    assert [record.getMessage()[-7:-1] for record in caplog.records if "[SEK" in record.getMessage()] == numbers
    in_threads = await command("settings", "--json"), await command("doctor", "--json")
    settings, doctor = (json.loads(said.out) for said in in_threads)
    assert [each["number"] for each in settings["warnings"]] == numbers
    assert [each["number"] for each in doctor["findings"]] == numbers


async def nothing(*_: Any) -> Any:
    """An application that answers nothing."""
