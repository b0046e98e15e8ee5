"""Derive a decision from signals. Pure."""

from __future__ import annotations

from sekisho.judge.policy import decide, decide_with
from sekisho.judge.trust import Belief, RuleState, RuleTrust, SuccessTrust

__all__ = ["Belief", "RuleState", "RuleTrust", "SuccessTrust", "decide", "decide_with"]
