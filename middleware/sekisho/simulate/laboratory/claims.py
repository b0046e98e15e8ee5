"""The claims of the guard, and the figures of the runs for each: the first table of `docs/laboratory.md`. Pure.

A claim is measured for one policy in one scenario, all seeds together, as `some` of `every`. It is missed where
`some / every` exceeds its bound.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.simulate.laboratory.copies import AGED, ATTACK, CALM, PROVED, SEEN
from sekisho.simulate.laboratory.curve import ASKED_MAX, TENTH
from sekisho.simulate.laboratory.peers import PEERS
from sekisho.simulate.laboratory.report import pipes, share, summed_by_policy
from sekisho.simulate.laboratory.results import KNOWN, added, summed
from sekisho.simulate.laboratory.site import bots_port, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sekisho.simulate.laboratory.policy import PlayedPolicy
    from sekisho.simulate.laboratory.report import Played
    from sekisho.simulate.laboratory.results import OwnerCounts, Results
    from sekisho.simulate.laboratory.scenario import Attack, Scenario

SHARED: Final = ("carrier NAT", "company proxy")
"""Kinds of log-ins on devices that are not known, from addresses that owners share."""

CALM_MAX: Final = 0.01
ALARM_ATTEMPTS_MAX: Final = 200
NAMED_MAX: Final = 5
"""Scenarios that are named where a claim is missed; of more, their number and the worst."""


class Case(NamedTuple):
    """The runs of one scenario.

    Attributes:
        runs: of one policy, one for each seed.
        results: of these runs together.
        others: of other limiters, with the same seeds.
    """

    policy: PlayedPolicy
    runs: Sequence[Played]
    results: Results
    others: Sequence[Played]

    @property
    def scenario(self) -> Scenario:
        return self.runs[0].scenario

    @property
    def is_relayed(self) -> bool:
        return any(attack.relays for attack in self.scenario.attacks)

    @property
    def is_copied(self) -> bool:
        return any(attack.copies for attack in self.scenario.attacks)


class Part(NamedTuple):
    """`some` of `every`. Whole numbers but for attempts, which are estimated."""

    some: float
    every: float

    @property
    def ratio(self) -> float:
        return self.some / self.every


class Claim(NamedTuple):
    """Attributes:
    name: as the table has it.
    wanted: in words.
    most: of `some / every`, in each scenario.
    measure: None where the claim is not about this case.
    shows: what stands in the table, of all scenarios together.
    why: the reasons where it is missed.
    """

    name: str
    wanted: str
    most: float
    measure: Callable[[Case], Part | None]
    shows: Callable[[Part], str]
    why: str = ""


def _taken_of(account_class: str, *, relayed: bool) -> Callable[[Case], Part | None]:
    def measure(case: Case) -> Part | None:
        if not case.policy.has_factors or case.is_copied or case.is_relayed is not relayed:
            return None
        results = case.results
        return _part(len(results.taken.get(account_class, ())), results.right[account_class])

    return measure


def _taken(case: Case) -> Part | None:
    """Of the right pairs, those that opened an account. A relay phisher and copies have lines of their own."""
    return None if case.is_relayed or case.is_copied else _part(case.results.taken_over, case.results.right.total())


def _taken_beside_others(case: Case) -> Part | None:
    """Accounts taken over, of those that the best other limiter loses with the same seeds."""
    if case.is_relayed or case.is_copied:
        return None
    seeds = {each.seed for each in case.runs}
    others = summed_by_policy(case.others)
    whole = [name for name in others if {each.seed for each in case.others if each.policy == name} >= seeds]
    best = min((others[name].taken_over for name in whole), default=0)
    return _part(case.results.taken_over, best)


def _reached(*, weak: bool = False, resets: bool = False) -> Callable[[Case], Part | None]:
    """Of the bots' attempts, those that reach the application, where the bots' addresses repeat.

    `weak`: those at a weak service beside the guarded one, and no others. `resets`: the same of requests for a reset,
    which check no password.
    """

    def measure(case: Case) -> Part | None:
        attacks = enumerate(case.scenario.attacks)
        numbers = [number for number, attack in attacks if _has_repeated(attack) and attack.resets is resets]
        found = [case.results.reach(part_of(bots_port(number, weak=weak))) for number in numbers]
        return _part(sum(reached for reached, _ in found), sum(sent for _, sent in found))

    return measure


def _work(case: Case) -> Part | None:
    """The iterations of all puzzles, for each attempt of bots that reaches the check, where no address repeats."""
    if _repeats(case.scenario):
        return None
    return _part(sum(each.results.hashes for each in case.runs), case.results.reached)


def _repeats(scenario: Scenario) -> bool:
    """Whether each attack comes from a number of addresses, and not from another one for each attempt."""
    return all(map(_has_repeated, scenario.attacks))


def _has_repeated(attack: Attack) -> bool:
    """Whether the attack comes from a number of addresses, and not from another one for each attempt."""
    return attack.addresses > 0 or _is_shared(attack)


def _is_shared(attack: Attack) -> bool:
    """Whether its bots are behind addresses of owners."""
    return attack.behind_nat or attack.behind_proxy


def _through_shared(case: Case) -> Part | None:
    """Of the attempts of bots behind a shared address, those that open an account."""
    if not any(_is_shared(attack) for attack in case.scenario.attacks):
        return None
    return _part(case.results.taken_over, case.results.attempts)


def _hindered(case: Case) -> Part | None:
    """Of the log-ins on known devices, those that were refused, put to work or told to wait."""
    known = case.results.kind(KNOWN)
    return _part(known.refused + known.worked + known.waited, known.log_ins)


def _asked_on_known(case: Case) -> Part | None:
    """Of the log-ins on known devices, those asked for a proof: the device was seen before, and never proved."""
    if not case.policy.has_factors:
        return None
    known = case.results.kind(KNOWN)
    return _part(known.asked, known.log_ins)


def _refused_at_shared(case: Case) -> Part | None:
    kinds = case.results.by_kind
    return _refused_of(added(counts for name, counts in kinds.items() if name in SHARED))


def _refused(case: Case) -> Part | None:
    return _refused_of(case.results.owners)


def _refused_of(counts: OwnerCounts) -> Part | None:
    return _part(counts.refused, counts.log_ins)


def _opened(*kinds: str, phase: str) -> Callable[[Case], Part | None]:
    """Of the log-ins with copies of such devices' tokens, those that opened the account."""

    def measure(case: Case) -> Part | None:
        every = [case.results.copies_where(kind=kind, phase=phase) for kind in kinds]
        part = _part(sum(each.entered for each in every), sum(each.used for each in every))
        return part if case.policy.has_factors else None

    return measure


def _resets_refused(case: Case) -> Part | None:
    """Of the owners' resets, those that the guard refused."""
    counts = case.results.owners_resets
    return _part(counts.refused, counts.begun)


def _asked_after_reset(case: Case) -> Part | None:
    """Of the owners' log-ins with a password that they have just reset, those that were asked for a proof."""
    counts = case.results.owners_resets
    return _part(counts.asked, counts.done) if case.policy.has_factors else None


def _asked(*, in_attack: bool, elsewhere: bool = False) -> Callable[[Case], Part | None]:
    def measure(case: Case) -> Part | None:
        if not case.policy.has_factors or bool(case.scenario.attacks) is not in_attack:
            return None
        owners = case.results.owners
        return _part(owners.asked_elsewhere if elsewhere else owners.asked, owners.log_ins)

    return measure


def _until_alarm(case: Case) -> Part | None:
    """Strangers' attempts from the attack's beginning until the first alarm, of each run, in the mean.

    It is estimated from the attack's pace and that of the owners' log-ins. A run without an alarm counts with all of
    its attempts. Attacks of fewer attempts than may pass before an alarm are left out.
    """
    if not case.policy.estimates_posture or not _is_spread(case.scenario):
        return None
    return _part(sum(map(attempts_until_alarm, case.runs)), len(case.runs))


def _is_spread(scenario: Scenario) -> bool:
    """Whether an address for each attempt leaves the alarm as the only reaction."""
    return len(scenario.attacks) == 1 and all(
        not attack.addresses and not _is_shared(attack) and attack.attempts > ALARM_ATTEMPTS_MAX
        for attack in scenario.attacks
    )


def attempts_until_alarm(run: Played) -> float:
    """Return about how many strangers' attempts came from the beginning of an attack to the first alarm.

    For a scenario with one attack, whose attempts are evenly spread over its hours. Without an alarm all of them count.
    """
    scenario, results = run.scenario, run.results
    attack = scenario.attacks[0]
    begun_s = attack.from_h * 3600
    after_s = next((at_s - begun_s for at_s in results.alarms if at_s >= begun_s), attack.hours * 3600)
    pace_s = attack.attempts / (attack.hours * 3600) + results.strangers.log_ins / (scenario.hours * 3600)
    return after_s * pace_s


def _false_alarms(case: Case) -> Part | None:
    """Of the simulated days without an attack, the alarms."""
    if not case.policy.estimates_posture or case.scenario.attacks:
        return None
    alarms = sum(len(each.results.alarms) for each in case.runs)
    return _part(alarms, len(case.runs) * case.scenario.hours / 24)


def _part(some: float, every: float) -> Part | None:
    return Part(some, every) if every else None


def _counted(part: Part) -> str:
    return f"{part.some:,.0f} of {part.every:,.0f}"


def _share(part: Part) -> str:
    return share(part.some, part.every)


def _iterations(part: Part) -> str:
    return f"{part.ratio:,.0f} iterations"


def _mean(part: Part) -> str:
    return f"{part.ratio:,.0f}"


def _in_days(part: Part) -> str:
    return f"{part.some:,.0f} in {part.every:,.0f} days"


_CALM_WHY: Final = (
    "`posture` and `quiet` ask no stranger before an alarm: right pairs that come before it, or among too few guesses "
    "for one, open accounts that have enrolled nothing."
)
_SENT_WHY: Final = (
    f"{_CALM_WHY} `familiar-spared` spares a stranger in a network where the account succeeded, and a bot behind the "
    "NAT of an owner is in it; so does `familiar` as long as that network is quiet."
)
_BOT_WHY: Final = "`default` has no proof to ask for, and bots solve work."
_TAKEN_WHY: Final = (
    f"{_BOT_WHY} {_SENT_WHY} A weak service beside the guarded one "
    "(`weak-…`) asks for no proof: accounts are taken there. Where an application mails resets to any address "
    "(`7pay-reset`), a bot sets a password; where strangers are asked, it enters no account by that. `on_file=` at the "
    "door lets no such request through."
)
_COPIED_WHY: Final = (
    "`posture` and `quiet` ask no device that was seen, in an attack neither. `familiar-spared` spares log-ins from "
    "the owner's own network, and so does `familiar` as long as that network is quiet: some copies are used through "
    "the owner's computer."
)
_OTHERS_WHY: Final = (
    "As above. Where addresses repeat, `django-axes` loses fewest accounts: it locks an address for good, for its "
    "owners too."
)
_REACHED_WHY: Final = (
    "Bots that solve work (`…-solving-…`, `weak-…`) get what the limits of an address and its credit allow; "
    "`quiet` has wider ones. Of a bot that does no work (`7pay`) the first attempts of each address are checked. "
    "A slow bot behind an address where many owners succeed (`nat-in-an-attack`) is below "
    "the limits, and such an address is never failing. "
    "With factors every log-in among these attempts is behind a question; there, guesses behind the NAT "
    "of owners are checked beyond the credit too, or owners who come there for the first time would be refused."
)
_WEAK_WHY: Final = (
    "The weak service asks for no work, so each attempt below the limits of an address is checked. In `weak-apart` it "
    "has the default limits in every column. In `weak-beside-strong` both services count in one store: attempts at "
    "either fill the limits of both, which are those of the column."
)
_RESETS_WHY: Final = (
    "A request for a reset has no success to tell failures from, so nothing but the limits of an address and of an "
    "account holds it back. It costs the service a letter where the details are right, and no password's hash. "
    "`on_file=` at the door, which needs factors, lets no such request through."
)
_SHARED_WHY: Final = (
    "A bot that solves work, behind one address with owners, uses up what the address has: its limits, then the credit "
    "that owners earned. Without factors, owners whose account never succeeded there are refused then. With `jsda` few "
    "of these owners have the passkey that it asks for: few succeed, and their address earns little credit. `strict` "
    "has half of the limits. See [gaps](gaps.md)."
)
_ASKED_WHY: Final = "See [why it takes more than 2%](#a-tenth)."
_FALSE_WHY: Final = (
    "In `migration-day` the application refuses right passwords for three hours, which looks like an attack: strangers "
    "are asked for a proof until some hours after it, and none is refused."
)
_CALM_ASKED_WHY: Final = (
    "A wrong password gets the same question as a right one, and accounts with an app or a passkey are always asked. "
    "*Elsewhere* is the rest."
)
_ELSEWHERE_WHY: Final = (
    "`factors`, `strict` and `pci` ask every stranger. `familiar` asks those from a network where the account has not "
    "succeeded yet: in calm nearly all of them travel, as in 2% of the log-ins, and have no cookie that was proved. "
    "Homes that get another IPv6 prefix each day (`another-56-each-day`) are new networks every day, and in "
    "`migration-day` right passwords fail."
)
_HINDERED_WHY: Final = (
    "With `pci` a known device has five attempts of its own, and does work beyond them. Where right passwords fail for "
    "three hours, some owners use them up."
)
_ALARM_WHY: Final = (
    "Where strangers' honest log-ins are more than the guesses, an attack looks like a bad day: the alarm comes late, "
    "or never."
)

CLAIMS: Final = (
    Claim("takeovers of accounts with a passkey (`phr`)", "0", 0, _taken_of("phr", relayed=False), _counted),
    Claim("takeovers of accounts with an app (`app`)", "0", 0, _taken_of("app", relayed=False), _counted),
    Claim("takeovers of accounts with mail (`sent`)", "0", 0, _taken_of("sent", relayed=False), _counted, _SENT_WHY),
    Claim("relay phisher: takeovers, with a passkey", "0", 0, _taken_of("phr", relayed=True), _counted),
    Claim("relay phisher: takeovers, with an app", "stated", inf, _taken_of("app", relayed=True), _counted),
    Claim("relay phisher: takeovers, with mail", "stated", inf, _taken_of("sent", relayed=True), _counted),
    Claim(
        "copied tokens of proved devices: log-ins that open, in calm",
        "stated",
        inf,
        _opened(PROVED, phase=CALM),
        _counted,
    ),
    Claim(
        "copied tokens of proved devices: log-ins that open, in an attack",
        "stated",
        inf,
        _opened(PROVED, phase=ATTACK),
        _counted,
    ),
    Claim(
        "copied tokens of aged devices: log-ins that open, in calm", "stated", inf, _opened(AGED, phase=CALM), _counted
    ),
    Claim(
        "copied tokens of devices that were merely seen: log-ins that open, in calm",
        "stated",
        inf,
        _opened(SEEN, phase=CALM),
        _counted,
    ),
    Claim(
        "copied tokens of aged and seen devices: log-ins that open, in an attack",
        "0",
        0,
        _opened(AGED, SEEN, phase=ATTACK),
        _counted,
        _COPIED_WHY,
    ),
    Claim("takeovers, of right pairs sent", "≤ 10%", TENTH, _taken, _counted, _TAKEN_WHY),
    Claim("takeovers, of those at the best other limiter", "≤ 10%", TENTH, _taken_beside_others, _counted, _OTHERS_WHY),
    Claim(
        "bots' attempts that reach the password check, where addresses repeat",
        "≤ 1%",
        0.01,
        _reached(),
        _share,
        _REACHED_WHY,
    ),
    Claim(
        "the same at a weak service beside the guarded one, which asks for no work",
        "≤ 1%",
        0.01,
        _reached(weak=True),
        _share,
        _WEAK_WHY,
    ),
    Claim(
        "bots' requests for a reset that pass, where addresses repeat",
        "≤ 1%",
        0.01,
        _reached(resets=True),
        _share,
        _RESETS_WHY,
    ),
    Claim("work for each that does, where no address repeats", "stated", inf, _work, _iterations),
    Claim(
        "bots behind NAT or proxy: attempts that open an account", "≤ 0.1%", 0.001, _through_shared, _share, _BOT_WHY
    ),
    Claim("log-ins on known devices refused, put to work or told to wait", "0", 0, _hindered, _counted, _HINDERED_WHY),
    Claim("log-ins on known devices asked for a proof", "stated", inf, _asked_on_known, _share),
    Claim("strangers behind NAT and proxy refused", "≤ 1%", 0.01, _refused_at_shared, _share, _SHARED_WHY),
    Claim("owners' log-ins refused", "≤ 0.01%", 0.0001, _refused, _share, f"The same log-ins. {_SHARED_WHY}"),
    Claim("owners' resets refused, beside bots that ask for some", "≤ 1%", 0.01, _resets_refused, _counted),
    Claim("log-ins after a reset asked for a proof", "stated", inf, _asked_after_reset, _counted),
    Claim("owners' log-ins asked in an attack", "≤ 2%", ASKED_MAX, _asked(in_attack=True), _share, _ASKED_WHY),
    Claim(
        "of them, asked *elsewhere* in an attack",
        "≤ 2%",
        ASKED_MAX,
        _asked(in_attack=True, elsewhere=True),
        _share,
        _ASKED_WHY,
    ),
    Claim("owners' log-ins asked in calm", "≤ 1%", CALM_MAX, _asked(in_attack=False), _share, _CALM_ASKED_WHY),
    Claim(
        "of them, asked *elsewhere* in calm",
        "≤ 1%",
        CALM_MAX,
        _asked(in_attack=False, elsewhere=True),
        _share,
        _ELSEWHERE_WHY,
    ),
    Claim(
        "strangers' attempts until the alarm, one for each address",
        "≤ 200",
        ALARM_ATTEMPTS_MAX,
        _until_alarm,
        _mean,
        _ALARM_WHY,
    ),
    Claim("false alarms in calm", "0", 0, _false_alarms, _in_days, _FALSE_WHY),
)

_HEAD: Final = """## In short

The claims, and the figures of the runs for each: a column for each [policy](#policies) of the guard, all scenarios and
seeds together. **Bold**: missed in some scenario, which stands below with its own figure. –: not played, or not asked
of this policy.
"""
_FOOT: Final = """
Where each attempt has its own address, the attacker pays for an address and for as much work as the table says, which
is none as long as no limit is reached; the service pays for the password's hash, here 0.05 seconds of a core. A puzzle
of 250,000 iterations takes a core of a laptop 0.07 seconds. So work protects no account there, and questions do.

No scenario has a hundred attempts a second, for which the aim is an alarm within 60 seconds. Answered at once, the 200
attempts take two seconds there; behind questions, whose proofs are waited for, the alarm comes within 45 seconds at
four workers (`tests/detect/test_exchange.py`). `asked in calm` is an aim of the preset `familiar`; the others stand
beside it.

**Where claims are missed, and why.**
"""


def claims_section(played: Sequence[Played], policies: Mapping[str, PlayedPolicy]) -> Iterator[str]:
    """The Markdown lines about claims: the table, and where and why claims are missed."""
    cases = _cases(played, policies)
    measured = {claim: _by_policy(claim, cases) for claim in CLAIMS}
    names = list(dict.fromkeys(case.policy.name for case in cases))
    told = {claim: found for claim, found in measured.items() if any(found.values())}
    yield _HEAD
    yield pipes([("claim", "wanted", *names), *(_row(claim, found, names) for claim, found in told.items())])
    yield _FOOT
    for claim, found in told.items():
        yield from _misses(claim, found)


def _cases(played: Sequence[Played], policies: Mapping[str, PlayedPolicy]) -> list[Case]:
    others: dict[str, list[Played]] = {}
    runs: dict[tuple[str, str], list[Played]] = {}
    for each in played:
        if each.policy in PEERS:
            others.setdefault(each.scenario.name, []).append(each)
        elif each.policy in policies:
            runs.setdefault((each.policy, each.scenario.name), []).append(each)
    return [
        Case(policies[policy], found, summed([each.results for each in found]), others.get(scenario, []))
        for (policy, scenario), found in runs.items()
    ]


def _by_policy(claim: Claim, cases: Iterable[Case]) -> dict[str, dict[str, Part]]:
    """By the policy's and the scenario's name, where the claim is about them."""
    found: dict[str, dict[str, Part]] = {}
    for case in cases:
        if (part := claim.measure(case)) is not None:
            found.setdefault(case.policy.name, {})[case.scenario.name] = part
    return found


def _row(claim: Claim, found: Mapping[str, Mapping[str, Part]], names: Iterable[str]) -> tuple[str, ...]:
    return (claim.name, claim.wanted, *(_cell(claim, found.get(name, {})) for name in names))


def _cell(claim: Claim, parts: Mapping[str, Part]) -> str:
    if not parts:
        return "–"
    text = claim.shows(Part(sum(part.some for part in parts.values()), sum(part.every for part in parts.values())))
    return f"**{text}**" if _missed(claim, parts) else text


def _missed(claim: Claim, parts: Mapping[str, Part]) -> dict[str, Part]:
    """Those beyond the bound, the worst first."""
    beyond = {name: part for name, part in parts.items() if part.ratio > claim.most}
    return dict(sorted(beyond.items(), key=lambda item: -item[1].ratio))


def _misses(claim: Claim, found: Mapping[str, Mapping[str, Part]]) -> Iterator[str]:
    """A line for the claim, and below it one for all policies that miss it alike."""
    places: dict[str, list[str]] = {}
    for policy, parts in found.items():
        if _missed(claim, parts):
            places.setdefault(_places(claim, parts), []).append(f"`{policy}`")
    if places:
        yield f"- **{claim.name.replace('*', '')}** ({claim.wanted}). {claim.why}".rstrip()
        yield from (f"    - {', '.join(names)}: {where}" for where, names in places.items())


def _places(claim: Claim, parts: Mapping[str, Part]) -> str:
    missed = _missed(claim, parts)
    named = [f"{name} {claim.shows(part)}" for name, part in missed.items()]
    if len(named) <= NAMED_MAX:
        return ", ".join(named)
    return f"in {len(named)} of {len(parts)} scenarios, most of all {named[0]}"
