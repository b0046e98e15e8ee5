"""Diagnoses of valid settings: their numbers, and the lines to write."""

from __future__ import annotations

import pytest

from sekisho.settings import load
from sekisho.settings.checks import is_guessable

SECRET = "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8"


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
    return {each.hazard.number: each.write for each in load(environ).diagnoses}


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
