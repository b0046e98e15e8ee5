"""The vault's counts of one owner: wrong codes, codes and letters sent, notices told. For an operator's commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.stepup.attempt_limits import DOOR, CodeTrial, owner_key
from sekisho.stepup.factors.letter_budget import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.crypto.vault_keys import VaultKeys

RESET_LETTERS: Final = b"reset letters"
_SCOPES: Final = {"": b"", " at doors without a secret": DOOR}
_TRIES: Final = {"codes tried": b"account tries", "app codes tried": b"app tries", "codes sent": b"sends"}


def counts_of(keys: VaultKeys, owner: str) -> dict[str, bytes]:
    """Return the vault's keys of an owner's counters, by the names that an operator reads.

    `owner`: see `AccountOwner.counted_by`.
    """
    return dict(_counts(keys, owner))


def _counts(keys: VaultKeys, owner: str) -> Iterator[tuple[str, bytes]]:
    for where, scope in _SCOPES.items():
        trial = CodeTrial(b"", owner, behind_right_secret=True, scope=scope)
        for what, kind in _TRIES.items():
            yield what + where, owner_key(keys, kind, trial)
    yield "letters of an hour: reset", keys.of(RESET_LETTERS, owner)
    yield "codes compared early", keys.of(b"early tries", b"account", owner)
    for letter in AT_ONCE:
        yield f"letters of an hour: {letter}", keys.of(b"letters", letter, owner)
        yield f"notice told: {letter}", keys.of(b"notice told", letter, owner)
