"""The judgement: signals and a policy go in, a decision comes out.

Pure on purpose: it reads no clock, socket or setting, so past traffic can be replayed reliably against new limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import Action, Decision, Device, Finding, Pair, Policy, Signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Spread, Verdict

    Add = Callable[[Finding], None]

HALF_WINDOW_US = 1_800_000_000
"""After so long, half of a set of wrong secrets is forgotten."""

SHARED_WAIT_US: Final = 30_000_000
"""The longest wait that a refusal names at an address that many owners share. After a wrong secret an account that is
spared there is refused like all others, and after the right one it is let in: its owner must not be sent away."""

UNPROVED = "unproved_device"

ALLOWED = Decision(Action.ALLOW, Action.ALLOW, (), 0)
DENIED = Decision(Action.DENY, Action.DENY, (Finding(Action.DENY, "deny_list"),), 0)


def throttled(reason: str, wait_us: int) -> Decision:
    """Return the decision that refuses an attempt for `wait_us` microseconds: a limit outside of the ledger is used up.

    The attempt is not judged. `reason`: names the limit in events.
    """
    return Decision(Action.THROTTLE, Action.THROTTLE, (Finding(Action.THROTTLE, reason, wait_us),), wait_us)


def decide(seen: Signals, policy: Policy) -> Decision:
    """Return the decision on an attempt: the action of the sternest finding, with all findings reported.

    Where no factor can be asked for, an account that is spared the limits of its address passes or is refused like any
    other there: a question would tell a guesser that somebody succeeds at this account from this address. Where one
    can, all accounts there are asked.
    """
    if seen.verdict.is_spared and seen.device is Device.STRANGER and not policy.factors:
        spared = _decided(seen, policy, spared=True)
        if spared.passes:
            return spared
    return _decided(seen, policy, spared=False)


def asks_all(verdict: Verdict, decision: Decision) -> bool:
    """Whether the decision asks all accounts at this address for a factor, those that are known there and others."""
    return decision.asked is Action.STEP_UP and verdict.is_crowded


def is_tried(verdict: Verdict, decision: Decision, *, reads_body: bool) -> bool:
    """Whether the attempt reaches the application before a proof: it passes, or all accounts at its address are asked.

    `reads_body`: of the attempt's door. A door with a header alone has effects, so it is reached only after the proof.
    """
    return decision.passes or (asks_all(verdict, decision) and not decision.work_first and reads_body)


def decide_with(more: tuple[Finding, ...], seen: Signals, policy: Policy) -> Decision:
    """Return the decision on an attempt as `decide` does, with plug-ins' findings `more` added to the guard's own."""
    if not more:
        return decide(seen, policy)
    found = list(more)
    _find(seen, policy, found.append, spared=False)
    return _concluded(tuple(found), seen, policy)


def _decided(seen: Signals, policy: Policy, *, spared: bool) -> Decision:
    # A list passed down instead of generators, for speed: this runs for every attempt, and most find nothing.
    found: list[Finding] = []
    _find(seen, policy, found.append, spared=spared)
    return _concluded(tuple(found), seen, policy) if found else ALLOWED


def _concluded(findings: tuple[Finding, ...], seen: Signals, policy: Policy) -> Decision:
    asked = [_askable(finding, policy) for finding in findings]
    sternest = max(asked)
    work_asked = Action.CHALLENGE in asked
    if seen.worked and sternest is Action.CHALLENGE:
        sternest = Action.ALLOW
    spares = policy.spares_familiar and sternest is Action.STEP_UP
    return Decision(
        action=max(finding.action for finding in findings),
        asked=sternest,
        findings=findings,
        wait_us=max(
            (finding.wait_us for finding, ask in zip(findings, asked, strict=True) if ask is Action.THROTTLE), default=0
        ),
        change_password=seen.device is not Device.STRANGER and seen.exposure.is_breached(policy.prevalence_min),
        work_first=work_asked and not seen.worked and sternest <= Action.STEP_UP,
        # Held for all alike: held for some, the question's time would tell who is familiar, or what else was found.
        holds=spares,
        releases=spares and seen.familiar and _only_unproved(findings, asked),
    )


def _only_unproved(findings: tuple[Finding, ...], asked: list[Action]) -> bool:
    """Whether nothing but the device calls for a factor."""
    return all(finding.reason == UNPROVED or ask < Action.STEP_UP for finding, ask in zip(findings, asked, strict=True))


def _find(seen: Signals, policy: Policy, add: Add, *, spared: bool) -> None:
    verdict = seen.verdict
    password, pair = seen.exposure
    if password or pair:
        _find_leaked(seen, policy, add)
    # Other clients' attempts at its address or account must not affect a proved device in its bucket: otherwise a flood
    # would lock account owners out.
    if seen.device is Device.PROVED:
        return
    if verdict.failures > policy.account_failures_max:
        add(Finding(Action.STEP_UP, "account_failures" if policy.account_failures_max >= 0 else "under_proof"))
    if policy.factors and _must_prove(seen, policy):
        add(Finding(Action.STEP_UP, UNPROVED))
    if seen.device is Device.SEEN:
        return
    if spared:
        add(Finding(Action.ALLOW, "familiar_address"))
    else:
        _find_over_limits_of_address(seen, policy, add)
        _find_spread_of_address(verdict, policy, add)
    # Where an address's limits refuse, attempts at accounts that are known there are charged and others are not: the
    # wait for the account would tell them apart.
    if not (verdict.is_of_many and verdict.throttle_wait_us):
        _find_over_limit_of_account(verdict, policy, add)
    _find_strange(seen, add)
    _find_spread(verdict.spread, policy, add)


def _must_prove(seen: Signals, policy: Policy) -> bool:
    """Whether the device alone is a reason to ask for a factor."""
    # The right password may come from a leaked list; only a factor proves the account owner. A seen device succeeded
    # with a password only, perhaps before the site had a factor to ask for.
    if seen.device is not Device.SEEN:
        return policy.asks_strangers
    # Where it is familiar, a seen device is told of its typing errors. A stranger is not: the answer to a wrong secret
    # would show who is familiar.
    return policy.asks_seen and not ((policy.spares_familiar or policy.spares_seen) and seen.familiar)


def _find_over_limits_of_address(seen: Signals, policy: Policy, add: Add) -> None:
    verdict = seen.verdict
    # A bot has spent the credit: refused alike, its neighbours would be kept out for as long as it goes on. Asked
    # alike, they are let in by a proof, and an answer does not tell which accounts are known there.
    asks_all = policy.factors and verdict.is_crowded
    # Many accounts have succeeded there: work lets in, as long as there is credit. Bots that do none cannot spend it.
    has_credit = verdict.has_credit and not seen.worked
    action = Action.CHALLENGE if has_credit or asks_all else Action.THROTTLE
    if asks_all:
        add(Finding(Action.STEP_UP, "crowded_address"))
    if verdict.ip_wait_us:
        add(Finding(action, "ip_rate", named_wait_us(verdict, verdict.ip_wait_us)))
    if verdict.network_wait_us:
        add(Finding(action, "network_rate", named_wait_us(verdict, verdict.network_wait_us)))
    if verdict.device_wait_us:
        add(Finding(action, "device_rate", named_wait_us(verdict, verdict.device_wait_us)))


def named_wait_us(verdict: Verdict, wait_us: int) -> int:
    """Return the wait in microseconds that a refusal names to the client.

    At an address that has earned credit lately it has a bound, so that it does not tell which accounts are known there.
    """
    return min(wait_us, SHARED_WAIT_US) if verdict.is_of_many else wait_us


def _find_over_limit_of_account(verdict: Verdict, policy: Policy, add: Add) -> None:
    # An attacker with a user name can exhaust that account's limit, so this asks for more and never locks. A code is
    # the exception: guesses at a tenth of a second of work find it, and the browser that asked for it has a bucket.
    if verdict.account_wait_us:
        is_hard = policy.account_is_hard or (policy.account_locks and not policy.factors)
        add(Finding(Action.THROTTLE if is_hard else Action.CHALLENGE, "account_rate", verdict.account_wait_us))
        # A lock that work opens is none. Known devices do not come here: a lock must not shut their owner out.
        if policy.account_locks and policy.factors:
            add(Finding(Action.STEP_UP, "account_locked"))


def _find_leaked(seen: Signals, policy: Policy, add: Add) -> None:
    password, pair = seen.exposure
    # Two honest log-ins in five use a leaked password: on a known device, that alone calls for nothing.
    if (password or 0) >= policy.prevalence_min:
        add(Finding(Action.STEP_UP if seen.device is Device.STRANGER else Action.ALLOW, "breached_password"))
    # An attacker with the list has this account's exact pair; with a stolen token of a seen device it would suffice.
    if pair is Pair.EXACT:
        add(Finding(Action.ALLOW if seen.device is Device.PROVED else Action.STEP_UP, "breached_pair"))
    # `Summer2019` leaked, `Summer2020!` is tried: attackers guess the changes that account owners make.
    elif pair is Pair.VARIANT and seen.device is Device.STRANGER:
        add(Finding(Action.CHALLENGE, "breached_pair_variant"))


def _find_strange(seen: Signals, add: Add) -> None:
    # A renewed token is presented again: two clients hold it, and one of them copied it.
    if seen.verdict.token_spent:
        add(Finding(Action.STEP_UP, "device_token_reused"))
    if seen.verdict.known_device_wait_us:
        add(Finding(Action.CHALLENGE, "device_token_over_budget"))
    # Without shared counters a password spray looks like normal traffic; only a factor tells them apart.
    if seen.verdict.counters_lost:
        add(Finding(Action.STEP_UP, "counters_lost"))


def _find_spread_of_address(verdict: Verdict, policy: Policy, add: Add) -> None:
    spread = verdict.spread
    # One account an hour is below all limits; a bot that goes through its list so has to do work for each.
    if verdict.is_failing:
        add(Finding(Action.CHALLENGE, "ip_failures"))
    if spread.accounts_per_ip >= policy.accounts_per_ip_max:
        add(Finding(Action.CHALLENGE, "ip_accounts"))
    if spread.accounts_per_network >= policy.accounts_per_network_max:
        add(Finding(Action.CHALLENGE, "network_accounts"))
    if spread.accounts_per_device >= policy.accounts_per_device_max:
        add(Finding(Action.CHALLENGE, "device_accounts"))


def _find_spread(spread: Spread, policy: Policy, add: Add) -> None:
    if spread.ips_per_account >= policy.ips_per_account_max:
        add(Finding(Action.STEP_UP, "account_ips"))
    # Password spraying: one password at many accounts. Each account sees a single failure.
    if spread.accounts_per_secret >= policy.accounts_per_secret_max:
        if policy.secret_is_hard and not (policy.factors or policy.refuse_without_factor):
            add(Finding(Action.THROTTLE, "secret_accounts", HALF_WINDOW_US))
        else:
            add(Finding(Action.STEP_UP, "secret_accounts"))


def _askable(finding: Finding, policy: Policy) -> Action:
    """The action for a finding, given the available means. Never milder for a sterner finding with the same wait.

    | finding   | a factor | work only                | neither                              |
    |-----------|----------|--------------------------|--------------------------------------|
    | challenge | step up  | challenge                | throttle for its wait                |
    | step up   | step up  | challenge, or `refuse`   | throttle for its wait, or `refuse`   |

    If the site has both work and a factor, a challenge asks for work. "Throttle for its wait" means allow if the wait
    is 0. Completed work satisfies a challenge only. Before a step-up it is an extra step: an attacker with a leaked
    list has computers too.
    """
    match finding.action:
        case Action.STEP_UP if policy.factors:
            return Action.STEP_UP
        case Action.STEP_UP if policy.refuse_without_factor:
            return Action.DENY
        case Action.CHALLENGE | Action.STEP_UP if policy.work:
            return Action.CHALLENGE
        case Action.CHALLENGE if policy.factors:
            return Action.STEP_UP
        case Action.CHALLENGE | Action.STEP_UP:
            return Action.THROTTLE if finding.wait_us else Action.ALLOW
        case stern:
            return stern
