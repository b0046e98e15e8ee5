"""What the audit tells of accounts and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho.audit.sealed import RecipientOpener, RecipientSealer, new_private_key, private_key
from sekisho.model import Basis, Device, Mode, Outcome
from sekisho.record import HandleKey
from sekisho.settings.audit import AuditAddress, AuditIdentity
from tests.audit.made import Audited, problems
from tests.record.made import FOUR, LOGIN, THROTTLED, attempt

if TYPE_CHECKING:
    from pathlib import Path

RULE, GUESS, STRANGER = Basis.RULE, Basis.GUESS, Device.STRANGER


class Desk:
    """A support desk: what the service seals for it, and what it opens."""

    def __init__(self, folder: Path) -> None:
        path = folder / "audit.pem"
        new_private_key(str(path))
        key = private_key(path.read_bytes())
        assert key is not None
        self.sealer = RecipientSealer(key.public_key().public_bytes_raw())
        self.opener = RecipientOpener(key)


def play(made: Audited) -> list[dict[str, Any]]:
    """A refusal, a failure under a name that is a password, a guessed and a proven success."""
    made.events.decided(LOGIN, THROTTLED, Mode.ENFORCE, FOUR, attempt("Hana"), STRANGER)
    made.events.settled(LOGIN, Outcome.FAILED, RULE, attempt("hunter2!secret"), STRANGER)
    made.events.settled(LOGIN, Outcome.SUCCEEDED, GUESS, attempt("hunter3!secret"), STRANGER)
    made.events.settled(LOGIN, Outcome.SUCCEEDED, RULE, attempt("Hana"), STRANGER)
    made.writer.flush()
    return made.read[1:]


def test_pseudonyms_alone_are_the_default(tmp_path: Path) -> None:
    """Neither name, address nor network: only keyed digests, equal for equal accounts."""
    made = Audited(tmp_path)
    lines = play(made)

    assert {tuple(line) for line in lines[1:]} == {
        (
            "v",
            "time",
            "kind",
            "door",
            "result",
            "basis",
            "account",
            "address",
            "device",
            "software",
            "device_class",
            "chain",
        )
    }
    assert lines[0]["account"] == lines[3]["account"] != lines[1]["account"]
    assert not any(text in made.path.read_bytes() for text in (b"Hana", b"hana", b"203.0.113", b"hunter"))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (AuditAddress.PREFIX, {"network": "203.0.113.0/24"}),
        (AuditAddress.FULL, {"network": "203.0.113.0/24", "ip": "203.0.113.9"}),
    ],
)
def test_addresses_are_told_as_set(tmp_path: Path, address: AuditAddress, told: dict[str, str]) -> None:
    """The network, or the address itself, on every line; no name comes with it."""
    made = Audited(tmp_path, address=address, handles=HandleKey())
    lines = play(made)

    assert [{name: line[name] for name in ("network", "ip", "name") if name in line} for line in lines] == [told] * 4


def test_only_names_of_known_accounts_are_written(tmp_path: Path) -> None:
    """People type their password as a name: a failure tells no name, and a guessed success might be such."""
    made = Audited(tmp_path, identity=AuditIdentity.PLAIN, handles=HandleKey())
    lines = play(made)

    assert [line.get("name") for line in lines] == [None, None, None, "Hana"]
    assert b"hunter" not in made.path.read_bytes()


def test_a_long_name_is_left_out(tmp_path: Path) -> None:
    """A line stays readable, however long the name was."""
    made = Audited(tmp_path, identity=AuditIdentity.PLAIN, handles=HandleKey())
    for name in ("h" * 320, "h" * 321):
        made.events.settled(LOGIN, Outcome.SUCCEEDED, RULE, attempt(name), STRANGER)
    made.writer.flush()

    assert [line.get("name") for line in made.read[1:]] == ["h" * 320, None]


def test_sealed_names_open_with_the_private_key_alone(tmp_path: Path) -> None:
    """The file tells no name; its reader with the private key finds it, on the line of this account alone."""
    desk = Desk(tmp_path)
    handles = HandleKey()
    made = Audited(tmp_path, identity=AuditIdentity.SEALED, handles=handles, seal_name=desk.sealer.name)
    *without, last = play(made)

    assert not any("sealed" in line for line in without)
    assert b"Hana" not in made.path.read_bytes()
    assert desk.opener.name(last["sealed"], last["account"]) == "Hana"
    assert desk.opener.name(last["sealed"], without[1]["account"]) is None
    (tmp_path / "other").mkdir()
    assert Desk(tmp_path / "other").opener.name(last["sealed"], last["account"]) is None
    assert desk.opener.name("no seal", last["account"]) is None


def test_a_sealed_key_is_needed_to_verify(tmp_path: Path) -> None:
    """With a recipient, the secret alone verifies no line: an attacker who has it cannot write the past anew."""
    desk = Desk(tmp_path)
    made = Audited(tmp_path, seal_key=desk.sealer.key)
    play(made)

    found = made.verified()
    assert problems(found) == [(1, "opens a chain for a recipient: its lines are verified with --open")]
    assert found.unverified == 4
    assert made.verified(open_key=desk.opener.key).problems == []
    lines = made.lines
    lines[2] = lines[2].replace(b"failed", b"succeeded")
    assert [line for line, _ in problems(made.verified(lines, open_key=desk.opener.key))] == [3]


def test_the_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    """The file is readable by its owner only, and is never written over."""
    path = tmp_path / "audit.pem"
    new_private_key(str(path))

    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        new_private_key(str(path))
    assert private_key(b"-----BEGIN PRIVATE KEY-----") is None
