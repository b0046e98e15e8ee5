"""Audit trails, and their verification, for the tests of the audit."""

from __future__ import annotations

import io
import json
from itertools import count
from typing import TYPE_CHECKING, Any

from sekisho.audit.chain import Chain, audit_key
from sekisho.audit.checkpoints import checkpoint_of, newest
from sekisho.audit.disclosure import Disclosure
from sekisho.audit.forms import FORMS
from sekisho.audit.policy import singly
from sekisho.audit.trail import AuditTrail
from sekisho.audit.verify import Verification, Verifier, verify
from sekisho.record import Counts, EventWriter
from sekisho.record.appender import Appender
from sekisho.record.flood import Flood
from sekisho.settings.audit import AuditAddress, AuditFormat, AuditIdentity
from tests.record.made import AT_US, SECRET, recording, subjects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sekisho.audit.checkpoints import Checkpoint
    from sekisho.record import Events, HandleKey

KEY = audit_key(SECRET)
SECOND = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.us = AT_US // SECOND * SECOND

    def __call__(self) -> int:
        return self.us


class Audited:
    """One worker's events and its audit, which writes when the test says so."""

    def __init__(
        self,
        folder: Path,
        *,
        form: AuditFormat = AuditFormat.SEKISHO,
        identity: AuditIdentity = AuditIdentity.DIGEST,
        address: AuditAddress = AuditAddress.DIGEST,
        handles: HandleKey | None = None,
        seal_name: Callable[[str, str], str] | None = None,
        seal_key: Callable[[bytes, str], str] | None = None,
        bytes_max: int = 0,
        id_start: int = 1,
        reopen_lines: int = 10_000,
    ) -> None:
        self.path = folder / "audit.jsonl"
        self.checkpoints_path = folder / "checkpoints.jsonl"
        self.clock = Clock()
        self.counts = Counts()
        numbers = count(id_start)
        self.trail = AuditTrail(
            Appender(str(self.path), bytes_max=bytes_max, files_max=3),
            FORMS[form](),
            Disclosure(identity, address, handles, seal_name),
            new_chain=lambda: Chain(KEY, lambda size: next(numbers).to_bytes(size, "big"), seal_key, reopen_lines),
            key=KEY,
            checkpoints=Appender(str(self.checkpoints_path)),
            clock_us=self.clock,
        )
        of = subjects(handles)
        self.writer = EventWriter(
            self.trail,
            self.counts.add,
            flood=lambda: Flood(of, singly, names_one=True),
            clock_us=self.clock,
            in_background=False,
        )
        self.events: Events = recording(self.writer, handles=handles, counts=self.counts, at=self.clock)

    @property
    def lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines(keepends=True)

    @property
    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def read_whole(self) -> list[dict[str, Any]]:
        """The lines that a full disk did not cut."""
        return [json.loads(line) for line in self.lines if line.endswith(b"}\n")]

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        found = [checkpoint_of(line, [KEY]) for line in self.checkpoints_path.read_bytes().splitlines(keepends=True)]
        return newest([each for each in found if each is not None])

    def verified(self, lines: list[bytes] | None = None, **more: Any) -> Verification:
        verifier = Verifier([KEY], more.pop("checkpoints", {}), more.pop("open_key", None), **more)
        data = b"".join(self.lines if lines is None else lines)
        return verify(verifier, [("audit.jsonl", io.BytesIO(data))])


def problems(found: Verification) -> list[tuple[int, str]]:
    return [(each.line, each.text) for each in found.problems]
