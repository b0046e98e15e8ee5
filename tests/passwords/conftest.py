"""Argon2, observed."""

from __future__ import annotations

import pytest

from tests.passwords.watching import Argon2


@pytest.fixture
def argon2(monkeypatch: pytest.MonkeyPatch) -> Argon2:
    return Argon2(monkeypatch)
