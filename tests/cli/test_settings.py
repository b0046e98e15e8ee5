"""`sekisho settings` shows values and where they came from, and no secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.operating import run, serve_with

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CANARY = "hunter2-hunter2-hunter2-hunter2-hunter2"


def test_each_value_and_its_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A set value, one from a file, and a default."""
    (tmp_path / "secret").write_text("mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8")
    monkeypatch.setenv("SEKISHO_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("SEKISHO_LIMIT_IP", "5/minute")
    said = run("settings", "--json")
    rows = {row["name"]: (row["value"], row["from"]) for row in json.loads(said.out)["settings"]}

    assert said.code == 0
    assert rows["SEKISHO_LIMIT_IP"] == ("5/minute", "environment")
    assert rows["SEKISHO_SECRET"] == ("(hidden)", "file")
    assert rows["SEKISHO_MODE"] == ("enforce", "default")
    assert rows["SEKISHO_EVENTS_FILE"] == (None, "default")
    assert run("settings", "--set").out.splitlines() == [
        "SEKISHO_SECRET=(hidden)  [file]",
        "SEKISHO_LIMIT_IP=5/minute  [environment]",
    ]


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets, also those inside of URLs, are never printed: terminals are recorded and shared."""
    serve_with(
        monkeypatch,
        secret=f"x://{CANARY}",
        store=f"redis://user:{CANARY}@redis.internal:6379/0",
        owners=f"postgresql://user:{CANARY}@db.internal/shop",
        smtp=f"smtps://user:{CANARY}@mail.internal",
        smtp_password=CANARY,
        code_webhook=f"https://user:{CANARY}@sms.example/{CANARY}?key={CANARY}",
        code_webhook_key=CANARY,
        captcha_secret=CANARY,
        pairs_key=CANARY,
    )
    said, as_json = run("settings"), run("settings", "--json")

    assert "hunter2" not in said.out + said.err + as_json.out + as_json.err
    assert "SEKISHO_STORE=redis://(hidden)  [environment]" in said.out
    assert "SEKISHO_CODE_WEBHOOK=https://sms.example/…  [environment]" in said.out
    assert "SEKISHO_SECRET=(hidden)  [environment]" in said.out


def test_mistakes_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with which the service would not start give exit code 1, and the reasons."""
    serve_with(monkeypatch, limit_ip="hunter2")
    said = run("settings")

    assert said.code == 1
    assert said.err.startswith("SEKISHO_LIMIT_IP: is not written as in 20/10minute")
