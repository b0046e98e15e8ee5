"""What became of a worker's share of the attempts, and what its ledger was asked: kept in a file between runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sekisho.model import Action
from sekisho.simulate.tally import Latencies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model import Decision

SHED = "shed"


class Tally:
    """Counts, by name.

    Attributes:
        counts: `sent…` attempts by whom; `shed` refused from memory; `asked` charges that the ledger was asked for;
            `told` settlements; `lost` charges without an answer; and what `Worker` notes.
        verdicts: the decisions, by (party, demand, reasons).
        latencies: of `assess`, where the ledger was asked.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.verdicts: Counter[tuple[str, str, str]] = Counter()
        self.latencies = Latencies()

    def decided(self, who: str, decision: Decision) -> None:
        reasons = "+".join([finding.reason for finding in decision.findings])
        self.verdicts[who, decision.asked.name.lower(), reasons] += 1

    def as_json(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "verdicts": [[*key, times] for key, times in self.verdicts.items()],
            "latencies": self.latencies.as_json(),
        }

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Tally:
        tally = cls()
        tally.counts.update(found["counts"])
        tally.verdicts.update({(who, asked, reasons): times for who, asked, reasons, times in found["verdicts"]})
        tally.latencies.add_json(found["latencies"])
        return tally

    @classmethod
    def sum(cls, tallies: Iterable[Tally]) -> Tally:
        total = cls()
        for tally in tallies:
            total.counts.update(tally.counts)
            total.verdicts.update(tally.verdicts)
            total.latencies.add_json(tally.latencies.as_json())
        return total

    def by_reason(self) -> list[tuple[str, str, str, int]]:
        """`(who, asked, reasons, times)`, most frequent first; what memory refused among it."""
        rows = [(*key, times) for key, times in self.verdicts.items()]
        if shed := self.counts[SHED]:
            rows.append(("attacker", Action.THROTTLE.name.lower(), "shed", shed))
        return sorted(rows, key=lambda row: -row[-1])
