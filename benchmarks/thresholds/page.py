"""`docs/thresholds.md`: each threshold, its present value and those beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.result import measured_text
from benchmarks.tables import markdown_table
from benchmarks.thresholds.compare import NOTHING_SHOWN, Counts, any_more, judged, verdict
from benchmarks.thresholds.grid import SCALES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HEAD = """# The thresholds beside others

Written by `python -m benchmarks.thresholds` from `benchmarks/results/thresholds.json`. Each threshold of the judge was
played with its present value and with others, one threshold at a time, in the scenarios of the
[laboratory](laboratory.md) that it decides, at a smaller scale. **Seeds from 101 to 120 choose, seeds 1 to 5 report**:
the laboratory's tables are of owners and bots that no threshold was chosen on.

A value is *clearly better* where fewer accounts are taken over, fewer attempts of bots reach the password check, or
fewer owners are lost, asked or put to work, in more seeds than chance explains (sign test over the seeds, two-sided,
5%), and where none of these is higher in any scenario. With so many comparisons some differ by chance. *A trade* is
better in one and worse in another: the present value is a choice there, not an optimum; *perhaps a trade* where the
other is higher, but not in more seeds than by chance. *The same*: every run ended alike, so that in this range the
scenarios do not depend on the value, which speaks neither for the present one nor against it.
"""

_READING = """**No present value was changed.** None of the others stops takeovers in more seeds than chance,
and the two that are *clearly better* only let a twentieth fewer attempts reach the check:

- A dearer credit (16 successes) or a smaller store of it (15 attempts) stops some attempts of a bot that solves work.
  No owner of these scenarios spends credit without factors, so that what it would cost owners is not shown.
- Half of the limit of an address stops more of them, and takeovers stay as many. Where there are factors the preset
  `strict`, which has that limit, refuses strangers behind a proxy ([laboratory.md](laboratory.md#in-short)).
- Work from 4 accounts of an address on, instead of 8, stops bots that do none, and has more owners behind a proxy
  work; from 16 on bots take over accounts behind a NAT.
- An address that is failing after three attempts at once lets still fewer reach the check; it is the number of typing
  errors that an owner on a new device makes now and then. Without this time nearly all of one attempt an hour reach it.
- Doubled scores of the postures ask fewer owners, as the alarm comes later, and more accounts are taken over
  meanwhile. With twice the slack most of the right pairs open an account before an alarm.
- Where familiar strangers are spared in an alarm, the score of their network decides: without its bound 6 of 141 right
  pairs of a bot behind a NAT open an account, with half of it one and with double two. How many accounts were
  tried in vain decides nothing here. It is for attackers who displace the score by a flood of fresh networks
  (`tests/judge/test_familiarity.py`), which no scenario has.
"""

_NOT_PLAYED = """## Not played here

- **Aged devices** (`SEKISHO_AGED_DEVICE_DAYS`, unset by default): the services of these scenarios have factors from
  their first day, so no device ages there. `switched-on` plays what 14 days spare
  ([step-up.md](step-up.md#devices-from-before)); that it is 14 is assumed.
- **The share of a network, browser and hour** (`judge/familiarity.py`): they are factors of the score, so half of the
  share of a network is the same as twice the score's threshold.
- **Spread over secrets, networks and accounts** (`model/signals.py`): a set counts no further than to the present
  value, so that a higher one never fires. The laboratory's `hundred-passwords` shows what these stop.
- **The other constants of the posture** were chosen on seeds 101 to 120 of simulated strangers
  ([posture.md](posture.md#the-estimate)). So was what a new account's success counts: no scenario has an attacker with
  own accounts, and `tests/judge/test_posture.py` plays them.
- **From when on the failures of a flood enter early** (`detect/watch.py`): it takes six attempts a second behind
  questions, and the fastest attack here sends one in two seconds. `tests/detect/test_exchange.py` plays floods, owners
  who are slow, and owners whose proofs go to other processes. The share of owners who have shown a proof after
  half a minute, a fifth or more, is assumed: with no mail for minutes, their failures enter early as well.
"""

SAME = "the same"
HEADINGS = (
    "value",
    "scenario",
    "taken over",
    "reached check",
    "owners lost",
    "asked",
    "worked",
    "beside the present value",
)


def page(found: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the page."""
    yield _HEAD
    yield measured_text(found)
    seeds = found["seeds"]
    yield f"{found['runs']:,} runs with seeds {seeds[0]} to {seeds[-1]}: {found['took_s'] / 60:.0f} minutes of a core."
    yield from ("", "## In short", "")
    yield from markdown_table(("threshold", "present", "others, and what they are"), _short(found), column="---")
    yield from ("", _READING.rstrip())
    for threshold in found["thresholds"]:
        yield from ("", f"## {threshold['name'].capitalize()}", "")
        yield f"{threshold['what']}. Policy `{threshold['policy']}`, {len(found['seeds'])} seeds together."
        yield ""
        yield from markdown_table(HEADINGS, rows(threshold))
    yield from ("", _NOT_PLAYED.rstrip(), "", "## Scales", "")
    yield ", ".join(f"{name} {scale:g}" for name, scale in SCALES.items()) + "."


def _short(found: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for threshold in found["thresholds"]:
        said = [f"**{value['label']}** {said_of(threshold, value)}" for value in threshold["values"][1:]]
        yield threshold["name"], threshold["values"][0]["label"], "; ".join(said)


def said_of(threshold: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """The verdict on a value, over all its scenarios, and what differs."""
    present = threshold["values"][0]["scenarios"]
    if all(_is_same(present[name], cell) for name, cell in value["scenarios"].items()):
        return SAME
    found = {name: _judged(present[name], cell) for name, cell in value["scenarios"].items()}
    differing = [f"{name}: {_listed(judged)}" for name, judged in found.items() if judged]
    more = any(any_more(*_runs(present[name], cell)) for name, cell in value["scenarios"].items())
    return verdict(list(found.values()), more=more) + (f" ({'; '.join(differing)})" if differing else "")


def _listed(judged: Mapping[str, str]) -> str:
    return ", ".join(f"{count} {how}" for count, how in judged.items())


def rows(threshold: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """The rows of a threshold, scenario by scenario, the present value first."""
    present = threshold["values"][0]["scenarios"]
    for name, base in present.items():
        for number, value in enumerate(threshold["values"]):
            cell = value["scenarios"][name]
            said = SAME if _is_same(base, cell) else _listed(_judged(base, cell)) or NOTHING_SHOWN
            label = value["label"] if number else f"**{value['label']}**"
            yield label, name, *_figures(cell), said if number else "present"


def _figures(cell: Mapping[str, Any]) -> Iterator[str]:
    taken, reached, *others = (sum(column) for column in zip(*cell["by_seed"], strict=True))
    yield f"{taken:,} of {cell['right']:,}" if cell["right"] else "–"
    yield f"{reached / cell['attempts']:.2%}" if cell["attempts"] else "–"
    for count in others:
        yield f"{count / cell['log_ins']:.2%}" if count else "0"


def _is_same(present: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether each run cost the same."""
    return bool(present["by_seed"] == other["by_seed"])


def _judged(present: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, str]:
    return judged(*_runs(present, other))


def _runs(*cells: Mapping[str, Any]) -> tuple[list[Counts], ...]:
    return tuple([Counts(*run) for run in cell["by_seed"]] for cell in cells)
