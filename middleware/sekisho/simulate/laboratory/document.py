"""`docs/laboratory.md`: the runs, their results, and the source of every parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.simulate.laboratory.claims import claims_section
from sekisho.simulate.laboratory.curve import aims, points
from sekisho.simulate.laboratory.report import (
    asked_cell,
    by_scenario,
    copies_tables,
    lost_cell,
    overview,
    pipes,
    resets_table,
    seeds_of,
    summary,
    taken_cell,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sekisho.simulate.laboratory.policy import PlayedPolicy
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

_COLUMNS = """## How to read the tables

- **right pairs**: attempts of bots with the right password; **taken over**: accounts that a bot entered, by the class
  of proof that the account has where the policy asks for one (`none`, `sent`, `app`, `phr`), or `reset` where it set
  the password and did not enter.
- **reached check**: of the bots' attempts, those whose password the application checked, behind a question for a proof
  or at once; in `7pay-reset…` requests for a reset that reached the application, which check no password; in `weak-…`
  those at both services.
- **refused**: of the owners' log-ins that would have succeeded, those that the guard refused: for longer than a
  minute, again and again, or in spite of a proof. *Known*: on a device on which the owner has logged in before. Where a
  policy spares strangers in calm, such a device may have shown no proof: then an attack has it asked, and a log-in that
  ends by that counts as *no proof*. With `familiar` and seeds 6 to 8 of all scenarios but `copied-tokens` and the two
  of resets, 20 of 39,955 log-ins on known devices ended so, and with `factors` none of 38,136 (without
  `nat-in-an-attack`).
- **no proof**: of all log-ins of owners, those that ended because a proof was asked for that the owner did not have.
  In 5% of the questions owners have none at hand (`at_hand_share`), and some have no mail address on file. That is the
  price of asking at all, and not of a limit.
- **asked**, **worked**: of all log-ins of owners, those in which the owner was asked for a proof, or the browser for
  work. **Asked elsewhere**: of all log-ins, those asked for no reason but a network or browser without a success: the
  password was right, the account has no app and no passkey, and its owner had logged in before. The rest of *asked*
  mistyped (a wrong password gets the same question as a right one), has enrolled a factor, or came for the first time;
  `--json` has each.
- **by seed**: accounts taken over with each seed.
- **alarm**: after how long the guard's posture first rose, the earliest and the latest of all seeds; – where it has
  none, or it did not rise. Background tasks run once a minute here: an alarm comes up to a minute later than in a
  service.

**Thresholds.** None was chosen on these seeds. Those of the posture (`judge/posture.py`) were chosen on seeds 101 to
120 of the simulated strangers of [posture.md](posture.md#the-estimate). They and others that decide these scenarios
were played beside half and double of their values on seeds from 101 on ([thresholds.md](thresholds.md)). The limits are
the defaults, or those of the preset. `familiar-spared` was added after a look at one-per-address and one-per-account
with seed 1.
"""

_MODELS = """## What some of the models leave out

- `one-pin-sideways` has no sign-up and no session: each attempt to link comes as if from an account of its own. That is
  more than an attacker has: the limits of sign-ups of a network, and of accounts that one logged-in account may link,
  would only take attempts away. Its owners log in and link nothing, so it does not say what links owners lose.
- `7pay-reset` has the application that 7pay had: it sends the link to any mail address that a request names, if the
  request tells what it asks for (a *right pair* here). `reset` in the tables are accounts whose password a bot has set
  and which it did not enter. Their owners find out before their next log-in, and reset it in turn. Others forget
  theirs, far more of them than any service has (`resets_per_month`). The letter is the application's own: it comes at
  once, and is opened in the browser that asked for it. Bots and owners share no address. After a reset the owner's
  other devices are no longer *known*. The policies without factors cannot have `on_file=`: `7pay-reset-on-file` is
  `7pay-reset` to them, with other draws.
  The models that judge log-ins (all but `slowapi` and `fastapi-limiter`) see no reset.
- `copied-tokens` copies cookies once, and knows each password. Its owners do nothing about it: none answers a letter,
  changes the password or ends a device's trust. Copies of passkeys and of mailboxes are not played.
- In `switched-on` and `copied-tokens` factors come later: the guard monitors for four weeks, and then has them. What
  devices that were seen before are spared by `SEKISHO_AGED_DEVICE_DAYS` is the policy `factors-aged`, whose figures
  stand in [step-up.md](step-up.md#devices-from-before).
- `weak-apart` stands for two services with a store each, and for two on one Redis with a `SEKISHO_NAMESPACE` for each,
  which count apart just so (`tests/asgi/test_namespaces.py`). `weak-beside-strong` is two with one namespace.
"""

_TAKEN = "Of all seeds together. Scenarios without a right pair are left out."
_LOST = "Refused on known devices, refused on others, and of all log-ins those without a proof where one was asked for."

_RESETS = """## Resets

Requests of bots for a reset beside those of owners, who have forgotten their password or found that a bot has set it
(in brackets). *Refused*: the guard refused the request or the new password. *Worked*: the browser solved a puzzle; a
reset is never answered by a question for a proof. *No letter*: the request was answered, and no link came: with
`on_file=`, to owners without a mail address on file. *Asked*, *entered*: at the log-in that follows, with the new
password.
"""

_COPIES = """## Copied tokens

What a copy of an owner's cookies is worth, together with the right password: of the log-ins with a copy, those that
opened the account (`copied-tokens`). The others were asked for a proof, unless a cell says otherwise. When it is
copied, a device is *proved* where its owner has shown a proof on it, *aged* if it was seen for two weeks with four
log-ins, *seen* if for less. *No token*: the owner's browser keeps no cookies, so that the attacker has the password
alone. *First*: who logged in first since the copy was made. *Owner's computer*: the log-ins came through it, so that
address, browser and cookies are those of the owner.

**No guard tells a whole copy from its original.** A copy of a proved device opens its account, one with a passkey too,
in calm and in an attack, as long as its owner stays away. Where owner and copy come within a day of each other, the
one with the older token is asked, and the device has ended for both: the owner shows a proof once more, and the
attacker has none. Who comes first after a day of silence is believed. The owner's change of the password ends every
copy. An aged device ends for both as well, and its owner is told before its first log-in.
"""

_AIMS = """## A tenth

What is aimed at without a passkey or an app: at most a tenth of the right pairs open an account, and at most a tenth
of what the best other limiter lets in where it lets in any, with 2% of the owners' log-ins asked for a proof. Each
cell has the policy, the share of right pairs that opened an account, and the share of owners' log-ins in which a proof
was asked for, in all and *elsewhere*. *A tenth*: the policy that reaches it and asks least.
"""

_WHY = """
**Why it takes more than 2%.**

- A question also answers a wrong password: an owner on an unknown device who mistypes gets the same one as a bot, or it
  would show which password is right. Others go to owners of a passkey or an app, who are always asked, and to first
  log-ins. *Elsewhere* is the rest, and with `familiar-spared` the smallest part.
- A guess from an address and at an account of its own differs from an owner on a new device in one thing: the account
  has never succeeded from there. In an attack `posture` and `quiet` ask all strangers. `familiar` asks, as in calm,
  those from such networks, and strangers in networks where much fails: a bot behind their carrier's NAT has owners
  asked who keep no cookies. `familiar-spared` spares them there as well, and the bot with them. What else an account
  knows of its owner tells them apart too little: spared by network and browser, 3.7% would be asked behind that NAT
  and not 16%, but 19 of 78 right pairs would open an account and not one; at known hours and without a failure besides,
  one, with 15% asked (`nat-in-an-attack` and `nat-with-solving-bot`, seeds 101 to 103).
- A few guesses among many honest log-ins (one-an-hour, six-right-passwords) raise no alarm for the site, so what asks
  in an attack alone lets them in.
- A relay phisher passes on codes, whatever asks for them. A passkey is bound to the site, and none was taken.
"""


def document(played: Sequence[Played], policies: Mapping[str, PlayedPolicy], *, curves: str = "") -> str:
    """Return the page `docs/laboratory.md` about these runs.

    `curves`: the folder of the pictures, as the page links to them; empty for none.
    """
    parts = [_HEAD, *_how(played), "", *claims_section(played, policies), ""]
    parts += [*_policies(played, policies), "", _COLUMNS]
    parts += ["## Accounts taken over, of right pairs sent", "", _TAKEN, ""]
    parts += [overview(_with_right_pairs(played), taken_cell), ""]
    asking = [each for each in played if each.policy in policies and policies[each.policy].has_factors]
    if asking:
        parts += ["## Owners asked for a proof", "", "Of all log-ins of owners: in all, *elsewhere*.", ""]
        parts += [overview(asking, asked_cell), ""]
    parts += ["## Log-ins of owners that were lost", "", _LOST, ""]
    parts += [overview(played, lost_cell), ""]
    if resets := resets_table(played):
        parts += [_RESETS, resets, ""]
    if copies := list(copies_tables(played)):
        parts += [_COPIES, *copies, ""]
    parts += [_AIMS, _aims(played), _WHY, "## Results", "", *_results(played, curves), _MODELS]
    return "\n".join([*parts, "## Parameters", "", *_parameters(played)]) + "\n"


def _with_right_pairs(played: Iterable[Played]) -> list[Played]:
    every = by_scenario(played).values()
    return [each for runs in every if any(run.results.right for run in runs) for each in runs]


def _how(played: Sequence[Played]) -> Iterator[str]:
    names = list(dict.fromkeys(each.policy for each in played))
    minutes, seeds = sum(each.took_s for each in played) / 60, {each.seed for each in played}
    whole = len(by_scenario(played)) * len(names) * len(seeds)
    size = f"{len(by_scenario(played))} scenarios, {len(names)} policies, seeds {seeds_of(played)}"
    yield f"{len(played):,} runs of {whole:,}: {size}."
    yield "Each scenario has a scale of its own, by which its owners and attempts are multiplied."
    yield f"They took {minutes:.0f} minutes, added up, on a machine that did other work too."
    if len(played) < whole:
        yield "A dash stands for what was not played; the tables of the scenarios say which seeds were."
    yield from _commits(played)


def _policies(played: Sequence[Played], policies: Mapping[str, PlayedPolicy]) -> Iterator[str]:
    yield "## Policies"
    yield ""
    for name in dict.fromkeys(each.policy for each in played):
        about = policies[name].about if name in policies else "a model of this limiter"
        yield f"- `{name}`: {about}; seeds {seeds_of(each for each in played if each.policy == name)}"


def _commits(played: Sequence[Played]) -> Iterator[str]:
    """Which runs were played with which code, where it is known: the commit of most runs first."""
    by_commit: dict[str, list[Played]] = {}
    for each in played:
        by_commit.setdefault(each.at, []).append(each)
    by_commit.pop("", None)
    first, *others = sorted(by_commit.items(), key=lambda item: -len(item[1])) or [("", [])]
    if first[1]:
        yield f"Played at commit `{first[0]}`{', but for' if others else '.'}"
    if others:
        yield ""
        yield from (_commit(at, runs, played) for at, runs in others)


def _commit(at: str, runs: Sequence[Played], played: Sequence[Played]) -> str:
    scenarios = _named(by_scenario(runs), by_scenario(played), "all scenarios")
    policies = _named({each.policy: 0 for each in runs}, {each.policy: 0 for each in played}, "all policies")
    return f"- {scenarios} at `{at}`: {policies}, seeds {seeds_of(runs)}; {len(runs):,} runs"


def _named(some: Collection[str], every: Collection[str], all_of_them: str) -> str:
    return all_of_them if len(some) == len(every) else ", ".join(f"`{name}`" for name in some)


def _aims(played: Iterable[Played]) -> str:
    rows = [("scenario", "best other limiter", "best with 2% asked", "best", "a tenth")]
    rows += [(name, *aims(found)) for name, runs in by_scenario(played).items() if (found := points(runs))]
    return pipes(rows)


def _results(played: Iterable[Played], curves: str) -> Iterator[str]:
    for name, runs in by_scenario(played).items():
        scenario = runs[0].scenario
        yield f"### {name}: {scenario.title}"
        yield ""
        yield f"{scenario.owners.count:,} owners, scale {scenario.scale:g}, seeds {seeds_of(runs)}."
        yield ""
        if curves and points(runs):
            yield f"![Accounts taken over against owners asked]({curves}/{name}.svg)"
            yield ""
        yield summary(runs)
        yield ""


def _parameters(played: Sequence[Played]) -> Iterator[str]:
    for scenario in {each.scenario.name: each.scenario for each in played}.values():
        yield f"### {scenario.name}"
        yield ""
        for name, source in scenario.sources.items():
            place = name.removeprefix(f"{scenario.name}: ")
            yield f"- `{place}`: {source}"
        yield ""
