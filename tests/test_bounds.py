"""Bounds, lifetimes and limits that tests import, each as a number.

A test that takes its expected value from the code passes with any value: `CALLS_MAX = 40_000` passed all. So imported
bounds are repeated here, and a change is made in two places.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

BOUNDS: dict[str, dict[str, float]] = {
    "sekisho.answer.refusal": {"JITTER_SECONDS_MAX": 900, "TEXT_MAX": 8_192, "WAIT_SECONDS_MAX": 2_678_400},
    "sekisho.stepup.factors.codes": {"LIFE_S": 600, "SENDS_MAX": 5},
    "sekisho.devices.token": {"ACCOUNTS_MAX": 5, "PRESENTED_CHARS_MAX": 325},
    "sekisho.stepup.escrow": {
        "ANSWER_BYTES_MAX": 65_536,
        "CALLS_MAX": 40,
        "HEADERS_BYTES_MAX": 16_384,
        "PROOF_S": 120,
        "REPEAT_S": 10,
        "SKEW_MS": 2_000,
        "TICKET_S": 600,
    },
    "sekisho.crypto.seal": {"DATA_BYTES_MAX": 2_097_152, "OVERHEAD_BYTES": 49},
    "sekisho.stepup.session_binding": {"CHARS_MAX": 3_968, "SECONDS_MAX": 2_592_000},
    "sekisho.challenge.challenges": {
        "BODY_BYTES_MAX": 65_536,
        "FORM_CHARS_MAX": 91_908,
        "FORM_S": 120,
        "NAMES_BYTES_MAX": 1_024,
        "SKEW_S": 60,
    },
    "sekisho.stepup.factors.totp": {"STEP_S": 30},
    "sekisho.stepup.attempt_limits": {
        "ACCOUNT_TRIES_MAX": 10,
        "APP_PERIOD_S": 7_776_000,
        "CHALLENGE_TRIES_MAX": 5,
        "EARLY_PERIOD_S": 86_400,
        "EARLY_TRIES_MAX": 10,
    },
    "sekisho.stepup.webauthn": {"CREDENTIALS_MAX": 8, "RESPONSE_BYTES_MAX": 16_384, "SECONDS": 300},
    "sekisho.challenge.work": {
        "DIFFICULTY_MAX": 8_000_000,
        "LIFE_S": 120,
        "PAYLOAD_CHARS_MAX": 2_048,
        "PHONE_HASHES_PER_S": 1_000_000,
        "SKEW_S": 60,
    },
    "sekisho.cli": {"FAILED": 1, "INTERRUPTED": 130, "MISUSED": 2},
    "sekisho.mail.address": {"ADDRESS_BYTES_MAX": 254},
    "sekisho.asgi.body_reader": {"PIECES_MAX": 64},
    "sekisho.stepup.flow.fair_queue": {"ENTERING_MAX": 256},
    "sekisho.asgi.fast_path": {"PATHS_MAX": 4_096, "PATH_CHARS_MAX": 256},
    "sekisho.asgi.refusal_pace": {"HELD_MAX": 2_048, "HELD_S_MAX": 2.0, "RATE_MAX": 20_000.0, "RATE_MIN": 500.0},
    "sekisho.stepup.flow.proof_routes": {"EVEN_S": 0.05, "FIRST_S": 1.0},
    "sekisho.model": {"PREVALENCE_MAX": 16},
    "sekisho.model.history": {"OLD": 524_288},
    "sekisho.corpus.fetch.answer": {"BODY_BYTES_MAX": 2_097_152},
    "sekisho.breach.header": {
        "BITS_MAX": 27,
        "BITS_MIN": 1,
        "ENTRIES_MAX": 4_294_967_295,
        "HEADER_BYTES": 4_096,
    },
    "sekisho.breach.pairs": {"CORE_CHARS_MIN": 5, "FOLDED_CHARS_MAX": 128},
    "sekisho.corpus.reading": {"LINE_BYTES_MAX": 65_536},
    "sekisho.corpus.records": {"PIECE": 1_048_576},
    "sekisho.corpus.sources": {"RANGES": 1_048_576},
    "sekisho.control.acts": {"ACTS_MAX": 16, "DIGESTS_MAX": 16, "TEXT_BYTES_MAX": 200},
    "sekisho.control.follow": {"EVERY_S": 0.9},
    "sekisho.control.sockets": {"KEYS_MAX": 16},
    "sekisho.ledger.key_groups": {"ANSWER_BYTES": 142},
    "sekisho.ledger.history": {"FAILED": 1 << 31},
    "sekisho.ledger.arithmetic": {"TRIED_CAP": 8},
    "sekisho.ledger.records": {"ENDED": (1 << 31) - 1},
    "sekisho.ledger.tags": {"TAG_BYTES": 4},
    "sekisho.ledger.memory": {"SWEEP": 8},
    "sekisho.ledger.redis": {"ACCOUNT": 2, "NETWORK": 1, "PLACES": 64, "SECRET": 4},
    "sekisho.ledger.shed": {"ROOM_EVERY_US": 1_000_000},
    "sekisho.ledger.in_flight": {"WAITERS_MAX": 256},
    "sekisho.owners": {"ENROLMENTS_MAX": 20, "RESET_DELAY_S": 86_400, "SEALED_BYTES_MAX": 8_192},
    "sekisho.owners.query": {"QUERY_CHARS_MAX": 4_096},
    "sekisho.owners.database": {"CALLS_MAX": 256},
    "sekisho.owners.outbox": {"WAITS_MAX_S": 7_200},
    "sekisho.read.caller": {"KNOWN_MAX": 1_024},
    "sekisho.read.names": {"ACCOUNT_CHARS_MAX": 1_024, "SECRET_BYTES_MAX": 4_096},
    "sekisho.simulate.laboratory": {"EPOCH_S": 1_751_328_000.0},
    "sekisho.simulate.client": {"BODY_BYTES_MAX": 65_536},
    "sekisho.simulate.draw": {"WORD": 18_446_744_073_709_551_616},
    "sekisho.simulate.owner": {"STEPS_MAX": 5},
    "sekisho.challenge.waits": {"PERIOD_S": 3_600, "WAITS_MAX": 6, "WAIT_S": 30},
    "sekisho.stepup.flow.waiting_proofs": {"PER_ADDRESS_MAX": 16, "PER_NETWORK_MAX": 64, "TOTAL_MAX": 4_096},
    "sekisho.store.vault": {
        "ENTRY_BYTES": 400,
        "KEY_BYTES_MAX": 64,
        "NUMBER_BYTES": 20,
        "SECONDS_MAX": 7_776_000,
        "STALE_MAX": 64,
        "VALUE_BYTES_MAX": 98_304,
    },
}


def imported() -> dict[str, set[str]]:
    """The package's constants that tests import, by module."""
    names: dict[str, set[str]] = {}
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sekisho."):
                module = node.module or ""
                names.setdefault(module, set()).update(each.name for each in node.names if each.name.isupper())
    return names


@pytest.mark.parametrize("module", BOUNDS)
def test_bounds_are_what_is_written_down(module: str) -> None:
    """Each bound has its reviewed value."""
    there = import_module(module)

    assert BOUNDS[module] == {name: getattr(there, name) for name in BOUNDS[module]}


def test_what_a_test_takes_from_the_code_is_written_down() -> None:
    """A missing number must be added to `BOUNDS` as a literal."""
    numbers = {
        (module, name)
        for module, names in imported().items()
        for name in names
        if isinstance(getattr(import_module(module), name), int | float)
    }

    assert sorted(numbers - {(module, name) for module, names in BOUNDS.items() for name in names}) == []
