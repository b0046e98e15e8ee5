"""What device tokens do at a log-in: which one counts, which one is handed out, and how the trust in a device ends.

`devices.token` signs and verifies tokens. Here they meet the shed, the success rules, the accounts under proof and the
ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from sekisho.judge.trust import MARK_BYTES
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.records import ENDED
from sekisho.model import Charged, Device, DoorKind, Effect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.control.asked import AskedAccounts
    from sekisho.devices.age import AgeStamps
    from sekisho.devices.token import DeviceTokens, Token
    from sekisho.judge import SuccessTrust
    from sekisho.ledger.shed import Shed
    from sekisho.model import Attempt, Basis, Door, Ledger
    from sekisho.read import Digests


@final
class KnownDevices:
    """The devices that one event loop knows.

    Args:
        tokens: signs and verifies device tokens.
        ledger: remembers which tokens were renewed or ended.
        digests: names devices and accounts to the ledger.
        shed: this worker's memory of refusals.
        trust: how far successes are trusted.
        clock_s: Unix time in seconds.
        chance: `n -> n` random bytes.
        ages: reads and writes how long a device has been seen; None where no device is ever aged.

    Attributes:
        asked: accounts that an operator asks for a proof, also on devices that were merely seen; None: no account.
    """

    def __init__(
        self,
        tokens: DeviceTokens,
        *,
        ledger: Ledger,
        digests: Digests,
        shed: Shed,
        trust: SuccessTrust,
        clock_s: Callable[[], float],
        chance: Callable[[int], bytes],
        ages: AgeStamps | None = None,
    ) -> None:
        self._tokens = tokens
        self._ledger = ledger
        self._digests = digests
        self._shed = shed
        self._trust = trust
        self._clock_s = clock_s
        self._chance = chance
        self._ages = ages
        self.asked: AskedAccounts | None = None

    def has_genuine_token(self, token: str) -> bool:
        """Whether this is a genuine device token of this service, regardless of the account."""
        return bool(token) and self._tokens.has_genuine(token, int(self._clock_s()))

    def trusted_token(self, attempt: Attempt, family: int) -> Token | None:
        """The device token by which an attempt is judged; None where it has none that is valid for the account.

        Also None, for a valid token: while the shed refuses the device; if the device has shown no factor, while an
        operator asks for a proof at the account; and if the success rule that gave the token turned out to be wrong.
        """
        if not attempt.token or not attempt.account:
            return None
        token = self._tokens.find(attempt.token, attempt.account, family, int(self._clock_s()))
        if token is None or self._shed.wait_us((token.device,)):
            return None
        if self.asked is not None and token.device_class is Device.SEEN and self.is_under_proof(attempt):
            return None
        # Where a wrong rule reported success, the password was never right. A token earned by a factor stays valid.
        void = self._trust.void
        return None if void and token.device_class is Device.SEEN and token.device[:MARK_BYTES] in void else token

    def is_under_proof(self, attempt: Attempt) -> bool:
        """Whether an operator has ordered that the account of this attempt is asked for a proof."""
        return self.asked is not None and self.asked.has(attempt.canonical)

    def is_aged(self, attempt: Attempt, token: Token | None) -> bool:
        """Whether this device was seen for so long that it may be let in by its age."""
        if self._ages is None or token is None:
            return False
        return self._ages.is_aged(attempt.token, attempt.account, token, int(self._clock_s()))

    def contradicted_device(self, attempt: Attempt, family: int) -> bytes:
        """The name of a device whose token has an age, even if the token counts for nothing now; empty for all others.

        However young: a thief's device that was asked must not become aged by waiting.
        """
        if self._ages is None or not attempt.token or not attempt.account:
            return b""
        now_s = int(self._clock_s())
        token = self._tokens.find(attempt.token, attempt.account, family, now_s)
        if token is None or not self._ages.is_stamped(attempt.token, attempt.account, token, now_s):
            return b""
        return token.device

    def device_name(self, token: Token | None, door: Door, basis: Basis) -> bytes:
        """The name of the device in its token after a success: the one that it has, or a new one.

        A new name begins with the rule's mark: if the rule turns out to be wrong, its tokens become void.
        """
        if token is not None:
            return token.device
        return self._trust.rule(door, basis).mark + self._chance(8)[MARK_BYTES:]

    def new_token(self, attempt: Attempt, token: Token | None, device: bytes, family: int, now_s: int) -> str:
        """Make the token that a device gets after a success: of its known name, or of a new one.

        Args:
            attempt: the successful one.
            token: the device's token until now; None for a stranger.
            device: the device's name.
            family: the browser's.
            now_s: Unix time in seconds.
        """
        # A reset ends all tokens up to its own second.
        now_s += attempt.door.kind is DoorKind.RESET
        text = self._tokens.renewed(
            attempt.token,
            attempt.account,
            token,
            device_class=token.device_class if token else Device.SEEN,
            family=family,
            now_s=now_s,
            fresh=device,
        )
        if self._ages is None:
            return text
        return self._ages.carried(text, attempt.token, attempt.account, token, device, now_s)

    def proved_token(self, presented: str, account: str, family: int) -> tuple[str, bool, bytes]:
        """Make the device token that a browser gets after a second factor.

        Returns the token, whether the device was a stranger until now, and its new name.
        """
        now_s = int(self._clock_s())
        token = self._tokens.find(presented, account, family, now_s) if presented else None
        name = self._chance(8)
        text = self._tokens.renewed(
            presented,
            account,
            # A new name for the device: an attacker who copied the old token may know its bucket.
            None,
            device_class=Device.PROVED,
            family=family,
            now_s=now_s,
            fresh=name,
        )
        if self._ages is not None:
            text = self._ages.carried(text, presented, account, token, b"", now_s)
        return text, token is None, name

    def end_device(self, attempt: Attempt, device: bytes) -> None:
        """End the trust of a device: from now on its token counts as a copy that was renewed since.

        Args:
            attempt: names the account; nothing is tried.
            device: the device's name, 8 bytes.
        """
        charge = self._digests.charge(attempt, device, token_generation=ENDED - 1)
        # Times of 0: this refunds no charge.
        self._ledger.settle(charge, UNHINDERED._replace(charged=Charged.KNOWN_DEVICE), Effect.RENEWED)

    def end_copied(self, attempt: Attempt, family: int) -> None:
        """End the trust of a proved device of which a spent token is presented: two clients hold it (threat 84).

        Otherwise a copy that came before its owner would go on, and one that came after would be believed again once
        the owner stays away for a day. The owner shows a proof and has a new device then. A device that is merely seen
        stays: its owner may have no proof to show.

        Args:
            attempt: presents the token.
            family: of the client's browser.
        """
        token = self.trusted_token(attempt, family)
        if token is not None and token.device_class is Device.PROVED:
            self.end_device(attempt, token.device)

    def end_devices(self, attempt: Attempt, device: bytes, changed_us: int) -> None:
        """End the trust of all devices of an account whose password was changed. It only queues.

        Args:
            attempt: names the account; nothing is tried.
            device: the known device that made the change, which stays known; empty where a stranger's made it.
            changed_us: when the change was charged, by the ledger's clock: what the change itself hands out is younger.
        """
        charge = self._digests.charge(attempt, device)
        self._ledger.settle(charge, UNHINDERED._replace(charged=0, at_us=changed_us), Effect.ENDS)
