"""What one process notes of strangers' outcomes, and the posture by which it judges their next attempts."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.judge.posture import SCORE_CALM, PostureChange, PostureState, changes
from sekisho.model.posture import NO_BROWSER, Nearby, Posture, ProofCounts, StrangerOutcome, ToldOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.judge.posture import DoorPosture
    from sekisho.model import Charge
    from sekisho.read import OriginDigests

TAG_BYTES: Final = 4
OUTCOMES_MAX: Final = 1_024  # of this process in a second; the oldest go
SEALED_MAX: Final = 4_096
PROOF_S: Final = 120.0
"""How long the failure that a sealed attempt counts as is held back. Most owners show their proof in this time."""
AFTER_S: Final = 1.0
"""A proof enters so long after the failure of its attempt, which another worker may tell."""

EARLY_S: Final = 30.0
EARLY_MIN: Final = 256
EARLY_SHARE: Final = 100
"""Of owners, a fifth or more have shown a proof after half a minute. Where of so many attempts of that age, at all of
the site's processes, less than one in a hundred has led to one, they are no owners', and their failures enter at
once. A process alone cannot tell: a proxy may send log-ins to some processes, and proofs to others."""


class RaisedDoor(NamedTuple):
    """The segments of one door that are above calm.

    Attributes:
        site: the posture of the door as a whole.
        networks, browsers, providers: the raised ones by tag; browsers by the number of their family.
        loud: networks in which more fails than a calm one has after an attack, raised or not.
    """

    site: Posture
    networks: dict[bytes, Posture]
    loud: frozenset[bytes]
    browsers: dict[int, Posture]
    providers: dict[bytes, Posture]


class PostureWatch:
    """Belongs to one process; any of its threads may call it.

    Args:
        tell: called with each change that this process hears of.
        clock_s: a monotonic clock in seconds.
    """

    def __init__(self, tell: Callable[[PostureChange], None], clock_s: Callable[[], float]) -> None:
        self._tell = tell
        self._clock_s = clock_s
        self._fresh: deque[StrangerOutcome] = deque(maxlen=OUTCOMES_MAX)
        self._sealed: deque[tuple[float, StrangerOutcome]] = deque()
        self._proved: deque[tuple[float, StrangerOutcome]] = deque()
        self._counted_s = 0.0
        self._shown = 0
        self._all_counts = ProofCounts()
        self._raised: dict[str, RaisedDoor] = {}
        self.state = PostureState()
        self.forced: Posture | None = None

    def of(self, door: str, digests: OriginDigests, browser: int) -> Posture:
        """The posture for a stranger's attempt at `door`: the highest of network, provider, browser family and site.

        While an operator forces a posture, that one.
        """
        if self.forced is not None:
            return self.forced
        raised = self._raised.get(door)
        if raised is None:
            return Posture.CALM
        network = raised.networks.get(digests.networks[0][:TAG_BYTES], Posture.CALM)
        provider = raised.providers.get(digests.provider[:TAG_BYTES], Posture.CALM)
        return max(raised.site, network, provider, raised.browsers.get(browser, Posture.CALM))

    def nearby(self, door: str, digests: OriginDigests) -> Nearby:
        """Return whether much fails in a client's own network at a raised door. A forced posture asks no network.

        A network of which nothing is known is quiet: only the `NETWORKS_MAX` with the highest scores are.
        """
        if self.forced is not None:
            return Nearby.UNASKED
        raised = self._raised.get(door)
        is_loud = raised is not None and digests.networks[0][:TAG_BYTES] in raised.loud
        return Nearby.LOUD if is_loud else Nearby.QUIET

    def settled(
        self, door: str, digests: OriginDigests, browser: int, account: bytes, *, succeeded: bool, is_new: bool = False
    ) -> None:
        """Note the outcome of a stranger's attempt that the client was told at once.

        `is_new`: its account is new, for all that the ledger knows. That tells only a success, which the client has
        seen: otherwise a guess placed at the threshold would show which accounts are old.
        """
        told = ToldOutcome.FAILED
        if succeeded:
            told = ToldOutcome.NEW_SUCCEEDED if is_new else ToldOutcome.SUCCEEDED
        self._fresh.append(_outcome(door, told, digests, browser, account))

    def sealed(self, door: str, digests: OriginDigests, browser: int, account: bytes) -> None:
        """Note a stranger's attempt whose outcome the client learns only after a proof.

        A failure is noted, whether the secret was right or wrong, and `take` holds it back for a while. If the attempt
        entered as what it was, an attacker could place one guess at the threshold, and see from the posture whether it
        was right.
        """
        self._sealed.append((self._clock_s() + PROOF_S, _outcome(door, ToldOutcome.FAILED, digests, browser, account)))
        self._make_room(self._sealed)

    def proved(self, door: str, sealed: Charge, digests: OriginDigests, browser: int, *, age_s: float) -> None:
        """Note that a client has shown its proof for an attempt that `sealed` noted.

        It enters where that attempt's failure did, and after it (threat P9): otherwise an attacker who proves an own
        account in one place takes back what a botnet has failed in another.

        Args:
            door: the door's name.
            sealed: the attempt's charge.
            digests: of the client that has shown the proof.
            browser: its family.
            age_s: seconds since the attempt.
        """
        provider = digests.provider[:TAG_BYTES]
        if sealed.device != digests.device:  # another network, or other software
            browser, provider = NO_BROWSER, b""
        network, account = sealed.networks[0][:TAG_BYTES], sealed.account[:TAG_BYTES]
        outcome = StrangerOutcome(door, ToldOutcome.PROVED, network, browser, account, provider)
        self._shown += 1
        self._proved.append((self._clock_s() + max(0.0, PROOF_S + AFTER_S - age_s), outcome))
        self._make_room(self._proved)

    def _make_room(self, held: deque[tuple[float, StrangerOutcome]]) -> None:
        # Threat P10: a flood that pushed each failure out before its time would never be recognised.
        if len(held) > SEALED_MAX:
            self._fresh.append(held.popleft()[1])

    def counts(self) -> ProofCounts:
        """Return the sealed attempts that have become `EARLY_S` old since the last call, and the proofs shown since."""
        early_s = self._clock_s() + PROOF_S - EARLY_S
        sealed = sum(1 for due_s, _ in tuple(self._sealed) if self._counted_s < due_s <= early_s)
        self._counted_s, proved = early_s, self._shown
        self._shown -= proved  # another thread may have added one
        return ProofCounts(sealed, proved)

    def take(self) -> list[StrangerOutcome]:
        """Remove and return the outcomes since the last call, and those of sealed attempts held back long enough."""
        now_s = self._clock_s()
        found = [self._fresh.popleft() for _ in range(len(self._fresh))]
        until_s = now_s + PROOF_S - EARLY_S if self._are_no_owners() else now_s
        while self._sealed and self._sealed[0][0] <= until_s:
            found.append(self._sealed.popleft()[1])
        for _ in range(len(self._proved)):
            due_s, outcome = self._proved.popleft()
            # As early as the failures: where owners come beside a flood, theirs are taken back as soon.
            if due_s <= until_s:
                found.append(outcome)
            else:
                self._proved.append((due_s, outcome))
        return found

    def _are_no_owners(self) -> bool:
        """Whether next to no client of the sealed attempts from before `EARLY_S` has shown a proof, to any process."""
        sealed, proved = self._all_counts
        return sealed >= EARLY_MIN and proved * EARLY_SHARE < sealed

    def hear_counts(self, counts: ProofCounts) -> None:
        """Hear of the attempts and proofs at all processes in about the last minute."""
        self._all_counts = counts

    def hear(self, state: PostureState) -> None:
        """Judge by this state from now on, and tell each change of a posture."""
        turned = changes(self.state, state)
        self.state = state
        if turned or self._raised:
            self._raised = {name: _raised(door) for name, door in state.doors.items() if door.is_raised}
        for change in turned:
            self._tell(change)

    def force(self, posture: Posture | None) -> None:
        """Judge by this posture, whatever was estimated; None: by the estimate again."""
        if posture is not self.forced:
            before, self.forced = self._of_all_doors(), posture
            segment = "forced" if posture is not None else "estimated"
            self._tell(PostureChange("", segment, self._of_all_doors(), before))

    def _of_all_doors(self) -> Posture:
        """The forced posture, or the highest estimate of any door as a whole."""
        if self.forced is not None:
            return self.forced
        return max((door.site.posture for door in self.state.doors.values()), default=Posture.CALM)

    def sites(self) -> dict[str, Posture]:
        """The posture of each door as a whole; a forced one under the name ``""``."""
        found = {name: door.site.posture for name, door in self.state.doors.items()}
        return found if self.forced is None else {**dict.fromkeys(found, self.forced), "": self.forced}


def _outcome(door: str, told: ToldOutcome, digests: OriginDigests, browser: int, account: bytes) -> StrangerOutcome:
    network, provider = digests.networks[0][:TAG_BYTES], digests.provider[:TAG_BYTES]
    return StrangerOutcome(door, told, network, browser, account[:TAG_BYTES], provider)


def _raised(door: DoorPosture) -> RaisedDoor:
    return RaisedDoor(
        door.site.posture,
        {tag: one.posture for tag, one in door.networks.items() if one.posture},
        frozenset(tag for tag, one in door.networks.items() if one.posture or one.score >= SCORE_CALM),
        {tag: one.posture for tag, one in door.browsers.items() if one.posture},
        {tag: one.posture for tag, one in door.providers.items() if one.posture},
    )
