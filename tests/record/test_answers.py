"""The log about a door where no log-in behind a step-up is recognised as a success."""

from __future__ import annotations

import logging

import pytest

from sekisho.model import Basis, Outcome
from sekisho.record.answers import Answers
from sekisho.record.recorder import Events
from sekisho.settings import load

AT_HOME = [(b"location", b"/home"), (b"set-cookie", b"session=1; HttpOnly; Path=/")]


@pytest.mark.parametrize(("rule", "let_in", "errors"), [("302:/home", True, 0), ("302:/other", False, 1)])
def test_a_recognised_log_in_is_no_evidence_against_its_rule(
    rule: str, let_in: bool, errors: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An owner on a known device logs in, then sixty strangers with wrong passwords come: the rule is right.

    If nobody was recognised, the same answer shows that the rule is wrong.
    """
    found = load({"SEKISHO_LOGIN": f"POST /login form:username,password success={rule}"}, ephemeral_secret=bytes(32))
    (door,) = found.doors
    events = Events(clock_us=lambda: 0)
    answers = Answers([door], events)
    scope = {"type": "http", "method": "POST", "path": "/login", "headers": [(b"host", b"shop.example")]}

    answers.started(door, 401, [], scope, b"", Outcome.FAILED)
    answers.started(door, 302, AT_HOME, scope, b"", Outcome.SUCCEEDED if let_in else Outcome.FAILED)
    if let_in:  # an outcome is counted behind its answer
        events.settled(door, Outcome.SUCCEEDED, Basis.RULE)
    for _ in range(60):
        answers.started(door, 401, [], scope, b"", Outcome.FAILED)
        answers.escrowed(door, Outcome.FAILED, None)

    said = [record for record in caplog.records if "SEK072" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.ERROR] * errors
