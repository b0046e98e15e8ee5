"""The owners' authenticator apps: enrolled before the attack, and read when the service asks for a code."""

from __future__ import annotations

import time
from base64 import b32encode
from hashlib import blake2b
from typing import TYPE_CHECKING

import pyotp
import sqlalchemy as sa

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners.schema import enrolments, upgrade
from sekisho.stepup.factors.totp import PURPOSE, SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.simulate.population import Population


class Phones:
    """One app for each owner. Its secret is computed from the owner's number, so nothing is stored."""

    def __init__(self, population: Population, seed: int) -> None:
        self._population = population
        self._key = seed.to_bytes(8)

    def code(self, owner: int) -> str:
        """Return the code that the app of this owner shows now."""
        return pyotp.TOTP(b32encode(self._secret(owner)).decode()).now()

    def enrol(self, database: Path, secret: bytes) -> None:
        """Enrol all apps, as `sekisho owners migrate` and then each owner on the page would do.

        Args:
            database: the service's own SQLite file; sekisho's tables are added.
            secret: the guard's; it seals the enrolments.
        """
        engine = sa.create_engine(f"sqlite:///{database}")
        with engine.begin() as connection:
            upgrade(connection)
            connection.execute(enrolments.insert(), list(self._rows(Sealer((secret,), clock_s=time.time))))
        engine.dispose()

    def _rows(self, sealer: Sealer) -> Iterator[dict[str, object]]:
        now_s = int(time.time())
        for owner in range(self._population.owners):
            account, number = self._population.account(owner), f"{owner:032x}"
            sealed = sealer.seal(PURPOSE, self._secret(owner), bound_to=enrolment_binding(account, number))
            yield {
                "id": number,
                "account_id": account,
                "kind": "totp",
                "label": "",
                "created_s": now_s,
                "sealed": sealed,
            }

    def _secret(self, owner: int) -> bytes:
        return blake2b(owner.to_bytes(8), key=self._key, digest_size=SECRET_BYTES, person=b"phone").digest()
