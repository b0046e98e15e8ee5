"""`docs/laboratory.md`: the runs, their results, and the source of every parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.simulate.laboratory.report import markdown, overview

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sekisho.simulate.laboratory.policy import Policy
    from sekisho.simulate.laboratory.report import Played

_HEAD = """# The laboratory

`make laboratory` wrote this page: owners and attackers before the whole guard, in one process, on simulated time
(`sekisho simulate`). Counters are in memory; nothing but the clocks, the size of the puzzles and the sender of codes is
replaced. Owners and bots see answers and nothing else. Each scenario begins after `history_days` of owners' log-ins,
which are not counted.

**Read with care.** Owners and attacks are invented. Every parameter stands below with its source, and most of them are
assumed. A column compares policies on the same traffic; it does not predict what a service will see. The other limiters
are small models with the thresholds that their projects publish, not the projects themselves.
"""

_COLUMNS = """
- **right pairs**: attempts of bots with the right password; **taken over**: accounts that a bot entered, by the class
  of proof that the account has where the policy asks for one (`none`, `sent`, `app`, `phr`).
- **reached check**: of the bots' attempts, those whose password the application checked, behind a question for a proof
  or at once.
- **lost**: of the owners' log-ins that would have succeeded, those that did not: refused for longer than a minute, or
  asked for a proof that the owner did not have. *Known*: on a device on which the owner has logged in before.
- **asked**, **worked**: of all log-ins of owners, those in which the owner was asked for a proof, or the browser for
  work. **Asked elsewhere**: of all log-ins, those asked for no reason but a network or browser without a success: the
  password was right, the account has no app and no passkey, and its owner had logged in before. The rest of *asked*
  mistyped (a wrong password gets the same question as a right one), has enrolled a factor, or came for the first time;
  `--json` has each.
- **alarm**: after how long the guard's posture rose; – where it has none, or it did not rise.
"""


def document(played: Sequence[Played], policies: Mapping[str, Policy], *, scale: float, wall_s: float) -> str:
    """The page. `wall_s`: how long the runs took, in seconds."""
    parts = [_HEAD, *_how(played, policies, scale, wall_s), _COLUMNS]
    parts += ["## Accounts taken over, of right pairs sent", "", "Of all seeds together.", "", overview(played), ""]
    parts += ["## Results", "", markdown(played), "", "## Parameters", "", *_parameters(played)]
    return "\n".join(parts) + "\n"


def _how(played: Sequence[Played], policies: Mapping[str, Policy], scale: float, wall_s: float) -> Iterator[str]:
    seeds = ", ".join(str(seed) for seed in sorted({each.seed for each in played}))
    yield f"Seeds {seeds}. Owners and attempts times {scale:g}. It took {wall_s / 60:.0f} minutes."
    yield ""
    yield "Policies:"
    yield ""
    for name in dict.fromkeys(each.policy for each in played):
        yield f"- `{name}`: {policies[name].about if name in policies else 'a model of this limiter'}"


def _parameters(played: Sequence[Played]) -> Iterator[str]:
    for scenario in {each.scenario.name: each.scenario for each in played}.values():
        yield f"### {scenario.name}"
        yield ""
        for name, source in scenario.sources.items():
            place = name.removeprefix(f"{scenario.name}: ")
            yield f"- `{place}`: {source}"
        yield ""
