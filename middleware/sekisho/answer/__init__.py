"""Refusals in the client's format and language; they contain nothing that helps guessing.

A refusal is made from a code and a time alone. No account, address or header of the request enters it, so it reads the
same for accounts that exist and for those that do not.
"""

from __future__ import annotations

from sekisho.answer.negotiate import language_of, prefers_page
from sekisho.answer.refusal import (
    Refusal,
    breached_password,
    cap_reached,
    challenge_required,
    contact_required,
    denied,
    disposable_address,
    misconfigured,
    proof_failed,
    reset_requested,
    retry_after_s,
    start_again,
    step_up_required,
    too_many_attempts,
    unavailable,
    unreadable_attempt,
)
from sekisho.answer.render import Answer, Renderer
from sekisho.answer.send import refuse_websocket, send_answer

__all__ = [
    "Answer",
    "Refusal",
    "Renderer",
    "breached_password",
    "cap_reached",
    "challenge_required",
    "contact_required",
    "denied",
    "disposable_address",
    "language_of",
    "misconfigured",
    "prefers_page",
    "proof_failed",
    "refuse_websocket",
    "reset_requested",
    "retry_after_s",
    "send_answer",
    "start_again",
    "step_up_required",
    "too_many_attempts",
    "unavailable",
    "unreadable_attempt",
]
