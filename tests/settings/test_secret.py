"""The secret, and the files that secrets may stand in."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho import settings
from sekisho.model import SettingsError
from sekisho.settings.files import read_file
from tests.settings.loading import OTHER, SECRET, load, mistakes, problem_of


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
    assert problem in problem_of("SECRET", text)


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
