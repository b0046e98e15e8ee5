"""What the counters were asked about an attempt, as a text in its lines, so that it can be counted again.

Every name in it is made anew under the key of events: a reader of the store and the audit cannot match them. A secret
has no name of its own, so the text does not tell which accounts share one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from sekisho.model import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Attempt, Charge, Decision, Policy, Verdict

VERSION: Final = "1"
ID_BYTES: Final = 8
TAG_BYTES: Final = 4
NETWORKS_MAX: Final = 4  # around one address
STEPS_MAX: Final = 8
AT_US_MAX: Final = 1 << 53
SPRAYED_MIN: Final = 16
"""As many as the ledger counts. Few accounts share a password by chance that many others do not have as well."""

_EXEMPT, _WORKED, _MAY_SPEND, _HAS_SECRET, _SPENT, _LOST, _CHARGED, _SIMILAR, _TRIES = (1 << bit for bit in range(9))
_FLAGS: Final = (_EXEMPT, _WORKED, _MAY_SPEND, _HAS_SECRET, _SPENT, _LOST, _CHARGED, _SIMILAR, _TRIES)

Counting: TypeAlias = "tuple[Charge, Verdict, Action, str, bool, bool]"
"""Of an attempt: its charge, the verdict on it, the action, the steps of its policy, whether work was done for it, and
whether it was counted under a name that similar accounts share."""


class Judged(Protocol):
    """An attempt with all findings about it; see `sekisho.assessment.Assessment`."""

    @property
    def attempt(self) -> Attempt: ...

    @property
    def charge(self) -> Charge: ...

    @property
    def verdict(self) -> Verdict: ...

    @property
    def decision(self) -> Decision: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def worked(self) -> bool: ...


def counting_of(judged: Judged) -> Counting:
    """Return what an attempt's line needs, to keep until it is written, without the attempt, which has the secret."""
    charge, attempt = judged.charge, judged.attempt
    similar = not charge.known_device and attempt.limit_key != ""
    return charge, judged.verdict, judged.decision.asked, judged.policy.steps, judged.worked, similar


class Counted(NamedTuple):
    """An attempt as the counters saw it. Names are digests of 8 bytes, tags of 4; see `sekisho.model.Charge`.

    Attributes:
        at_us: when it was charged, by the store's clock; 0 where it was not.
        action: the decision.
        steps: how its policy was made; see `sekisho.model.Policy.repeated`.
        secret_accounts: accounts at which its secret was tried lately.
        account: the name that was counted: of the account, or of one scope of it.
        who: stands for the account in sets.
        pair: stands for the secret at this account; the same only if both are, on the same device.
        known_device, generation: of its device's bucket; empty and 0 for a stranger.
        place: see `sekisho.read.Digests.place`, with a name of its own.
        networks: around the address, the narrowest first.
        exempt, worked, may_spend, has_secret, tries: see `Charge`; `worked`: work was done for it.
        spent: its token was renewed since.
        lost: the store did not answer, so a worker counted alone.
            charged: whether the ledger was asked, and charged it.
        similar: accounts of similar names share the name that was counted, so a proof at one ends no failures.
    """

    at_us: int
    action: Action
    steps: str
    secret_accounts: int
    account: bytes
    who: bytes
    pair: bytes
    known_device: bytes
    generation: int
    place: bytes
    networks: tuple[bytes, ...]
    exempt: bool
    worked: bool
    may_spend: bool
    has_secret: bool
    spent: bool
    lost: bool
    charged: bool
    similar: bool
    tries: bool


def counted_text(counting: Counting, name: Callable[[bytes], bytes]) -> str:
    """Return as text what the counters and the judge knew of an attempt, for a line from which it can be replayed.

    `name`: returns a keyed digest of 16 bytes, which stands for an account, an address or a device.
    """
    charge, verdict, action, steps, worked, similar = counting
    flags = (
        charge.exempt * _EXEMPT
        | worked * _WORKED
        | charge.worked * _MAY_SPEND
        | bool(charge.secret) * _HAS_SECRET
        | verdict.token_spent * _SPENT
        | verdict.counters_lost * _LOST
        | bool(verdict.at_us) * _CHARGED
        | similar * _SIMILAR
        | charge.tries * _TRIES
    )
    place = charge.place and name(b"place" + charge.place[:-1])[: ID_BYTES - 1] + charge.place[-1:]
    parts = [
        VERSION,
        f"{verdict.at_us:x}",
        f"{flags:x}",
        f"{action:x}",
        steps,
        f"{verdict.spread.accounts_per_secret:x}",
        (charge.account and name(b"counter" + charge.account)[:ID_BYTES]).hex(),
        (charge.account_tag and name(b"who" + charge.account_tag)[:TAG_BYTES]).hex(),
        # With the account's name before it: two accounts with one secret must not have one tag.
        (charge.secret and name(b"pair" + charge.account + charge.pair_tag)[:TAG_BYTES]).hex(),
        (charge.known_device and name(b"lane" + charge.account + charge.known_device)[:ID_BYTES]).hex(),
        f"{charge.token_generation:x}",
        place.hex(),
        "-".join(name(b"network" + network)[:ID_BYTES].hex() for network in charge.networks),
    ]
    return ".".join(parts)


def sprayed(counting: Counting, name: Callable[[bytes], bytes]) -> str:
    """Return a tag of 4 bytes, in hex, for a secret tried at `SPRAYED_MIN` accounts or more; else an empty text.

    `name`: returns a keyed digest of 16 bytes.
    """
    charge, verdict, *_ = counting
    if not charge.secret or verdict.spread.accounts_per_secret < SPRAYED_MIN:
        return ""
    return name(b"secret" + charge.secret)[:TAG_BYTES].hex()


def counted_of(text: str) -> Counted | None:
    """Read a text that `counted_text` made; None if it is of another version.

    Raises `ValueError` for any other text.
    """
    parts = text.split(".")
    if parts[0] != VERSION:
        return None
    _, at, flag_text, action, steps, secrets, account, who, pair, known_device, generation, place, networks = parts
    at_us, flags = int(at, 16), int(flag_text, 16)
    found = Counted(
        at_us,
        Action(int(action, 16)),
        steps,
        int(secrets, 16),
        _digest(account, ID_BYTES),
        _digest(who, TAG_BYTES),
        _digest(pair, TAG_BYTES),
        _digest(known_device, ID_BYTES),
        int(generation, 16),
        _digest(place, ID_BYTES),
        tuple(_digest(network, ID_BYTES) for network in networks.split("-")),
        *(bool(flags & bit) for bit in _FLAGS),
    )
    if not (0 <= at_us < AT_US_MAX and len(found.networks) <= NETWORKS_MAX and len(steps) <= STEPS_MAX):
        raise ValueError("out of bounds")
    return found


def _digest(text: str, size: int) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) not in {0, size}:
        raise ValueError("a digest of another size")
    return digest
