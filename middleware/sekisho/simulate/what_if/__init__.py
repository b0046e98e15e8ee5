"""What-if: recorded attempts are counted and judged again under other limits, by the guard's own ledger and judge."""

from __future__ import annotations

from sekisho.simulate.what_if.attempts import in_order
from sekisho.simulate.what_if.items import Attempted, Line, Proved, Settled
from sekisho.simulate.what_if.judging import Rules, judge_again
from sekisho.simulate.what_if.tally import DecisionRow, ReplayTally

__all__ = ["Attempted", "DecisionRow", "Line", "Proved", "ReplayTally", "Rules", "Settled", "in_order", "judge_again"]
