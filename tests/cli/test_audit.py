"""`sekisho audit` verifies files, opens sealed names and makes keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.cli.audit.read import printable
from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def audited(path: Path, **settings: str) -> None:
    app = guarded(Shop(), audit=f"file:{path}", **settings, **OPEN)
    for secret in ("wrong", "right"):
        await log_in(app, "hana", secret)
    await stop(app)


async def test_verify_says_that_all_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An untouched file: exit code 0, and what its lines tell of."""
    path = tmp_path / "audit.jsonl"
    serve_with(monkeypatch)
    await audited(path)

    said = await command("audit", "verify", str(path))
    assert said.code == 0
    lines = path.read_bytes().count(b"\n")
    assert said.out.splitlines() == [
        f"{lines} lines of 1 worker: all verified",
        "         2 decided allow",
        "         1 settled failed",
        "         1 settled succeeded",
    ]


def test_an_emptied_audit_does_not_verify(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No line is no proof: an intruder who empties the file gets no exit code 0."""
    path = tmp_path / "audit.jsonl"
    path.touch()
    serve_with(monkeypatch)

    said = run("audit", "verify", str(path))
    assert (said.code, said.out) == (1, "there is no line: it was emptied, or nothing was written yet\n")


async def test_verify_names_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A changed line: exit code 1, with the file and the line's number, as compilers do; `--json` says the same."""
    path = tmp_path / "audit.jsonl"
    serve_with(monkeypatch)
    await audited(path)
    path.write_bytes(path.read_bytes().replace(b'"succeeded"', b'"failed"'))
    number = 1 + next(at for at, line in enumerate(path.read_text().splitlines()) if '"device_class":"stranger"' in line
                      and '"basis":"rule"' in line and at > 1)  # fmt: skip

    said, as_json = await command("audit", "verify", str(path)), await command("audit", "verify", str(path), "--json")
    assert (said.code, as_json.code) == (1, 1)
    assert said.out.splitlines()[0].startswith(f"{path}:")
    (problem,) = json.loads(as_json.out)["problems"]
    assert problem["file"] == str(path)
    assert problem["text"] in said.out
    assert 1 < problem["line"] <= number


async def test_verify_needs_the_secret_that_wrote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A rotated secret that is still listed verifies; another one does not."""
    path = tmp_path / "audit.jsonl"
    serve_with(monkeypatch)
    await audited(path)
    new, old = "a newer secret, which has forty-two bytes..", "the secret of another service, of many bytes"
    monkeypatch.setenv("SEKISHO_SECRET", new)
    assert (await command("audit", "verify", str(path))).code == 1
    monkeypatch.setenv("SEKISHO_SECRET", old)
    assert (await command("audit", "verify", str(path))).code == 1
    serve_with(monkeypatch)
    assert (await command("audit", "verify", str(path))).code == 0


async def test_open_shows_names_to_the_holder_of_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The name was sealed on her success; it is shown on the line of the failure before as well."""
    path, key = tmp_path / "audit.jsonl", tmp_path / "audit.pem"
    serve_with(monkeypatch)
    made = await command("audit", "key", str(key))
    variable, _, recipient = made.out.strip().partition("=")
    assert variable == "SEKISHO_AUDIT_RECIPIENT"
    await audited(path, audit_recipient=recipient, audit_identity="sealed")
    assert b"hana" not in path.read_bytes()

    said = await command("audit", "open", "--key", str(key), str(path))
    assert said.code == 0
    settled = [line for line in said.out.splitlines() if " settled " in line]
    assert len(settled) == 2
    assert all('name="hana"' in line for line in settled)
    verified = await command("audit", "verify", "--open", str(key), str(path))
    assert verified.code == 0
    assert (await command("audit", "verify", str(path))).code == 1


async def test_a_key_is_never_written_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second call fails, and repeats nothing but the file's name."""
    key = tmp_path / "audit.pem"
    await command("audit", "key", str(key))
    before = key.read_bytes()
    said = await command("audit", "key", str(key))

    assert (said.code, key.read_bytes()) == (1, before)
    serve_with(monkeypatch)
    key.write_text("no key")
    assert (await command("audit", "verify", "--open", str(key), str(key))).code == 2


async def test_a_stream_needs_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `memory://` there is no stream to read."""
    serve_with(monkeypatch, store="memory://")

    assert (await command("audit", "read")).code == 2


async def test_a_stream_that_is_not_written_is_said(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit is a file: an empty answer would look like an audit that was removed."""
    serve_with(monkeypatch, store=redis_url, audit=f"file:{tmp_path}/audit.jsonl")
    said = await command("audit", "read")

    assert (said.code, said.out) == (0, "")
    assert "SEKISHO_AUDIT is not redis here" in said.err


def test_a_line_in_the_store_steers_no_terminal() -> None:
    """An intruder's line is shown without its controls; a line of ours as it is."""
    own = b'{"v":1,"kind":"decided","account":"3f","name":"\xe3\x83\x8f\xe3\x83\x8a"}'
    assert printable(own) == own.decode()
    assert printable(b"\x1b[2Jall verified\n\xc2\x9b\xe2\x80\xae") == "\\x1b[2Jall verified\\x0a\\x9b\\x202e"
