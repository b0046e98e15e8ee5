"""Which event loops of this process run a guard, and what reaches all of them."""

from __future__ import annotations

import asyncio
import logging
from threading import get_ident
from typing import TYPE_CHECKING

from sekisho.asgi.other_loop import runs_asyncio
from sekisho.check.advice import rule_line
from sekisho.check.canary import say_wrong
from sekisho.check.described import as_answer
from sekisho.control import ControlMac, ControlState, MemoryControl, StoredControl
from sekisho.feed import FeedReader
from sekisho.ledger.counters import StoredCounters
from sekisho.model import Mode
from sekisho.model.hazards import NOT_ENFORCED
from sekisho.record import Subject
from sekisho.record.subjects import counted_network
from sekisho.wiring.event_loop import LoopWing
from sekisho.wiring.feedback import Feedback

if TYPE_CHECKING:
    from collections.abc import Collection

    from sekisho.asgi.types import App, Scope
    from sekisho.check import DoorReport
    from sekisho.control import Act, Applied
    from sekisho.ledger.worker_sync import News
    from sekisho.model import Credentials
    from sekisho.wiring.process import ProcessWing

log = logging.getLogger("sekisho")

_NAMELESS = frozenset({"mode", "unblock", "posture", "forget", "takeover", "false_alarm"})
"""Acts that name no network."""


class EventLoops:
    """One `LoopWing` for each running event loop of this process: most servers have one, Django may have several."""

    def __init__(self, process: ProcessWing) -> None:
        self.process = process
        settings = process.settings
        self.control = ControlState(
            ControlMac(settings.listed, settings.namespace), self._controlled, process.clocks.wall_s, self._acted
        )
        self._local_control = MemoryControl(self.control.hear)
        self._examination = process.examination(self._check)
        self._running: dict[asyncio.AbstractEventLoop, LoopWing] = {}
        self._latest: LoopWing | None = None

    def middleware(self) -> App:
        """Return the middleware of the running event loop, and start the loop's parts if this is the first call.

        On a loop that is not asyncio's: return an application that stands in for the guard there.
        """
        running = self._latest
        # In Python 3.11 `get_running_loop` asks the kernel for the process id, at the cost of three digests, and it
        # would do so for every request of the service. A running loop of this thread is the running loop.
        if running is None or running.thread != get_ident() or not running.loop.is_running():
            if not runs_asyncio():
                return self.process.other_loop
            running = self._latest = self._here()
        return running.app

    @property
    def is_running(self) -> bool:
        """Whether the guard runs on an event loop of this process that is not closed."""
        return any(not loop.is_closed() for loop in self._running)

    def page(self, scope: Scope) -> App | None:
        """Return the application that answers `sekisho doctor`, `sekisho check` or a request for metrics; else None."""
        process = self.process
        if self._examination.is_asked(scope):
            return self._examination
        return self._metrics_page(scope) if process.has_metrics_page else None

    def _metrics_page(self, scope: Scope) -> App | None:
        self.middleware()  # on a loop that is not asyncio's there is none
        metrics = self._latest.metrics if self._latest is not None else None
        return metrics.page if metrics is not None and metrics.page.is_asked(scope) else None

    def _here(self) -> LoopWing:
        loop = asyncio.get_running_loop()
        running = self._running.get(loop)
        if running is None:
            self.process.warn()
            # A loop's parts refer to the loop, so a weak reference would never be cleared.
            self._running = {one: its for one, its in self._running.items() if not one.is_closed()}
            running = self._running[loop] = LoopWing(self.process, loop, self.control, self._local_control, self.hear)
        return running

    async def stop(self) -> None:
        self._latest = None
        if not runs_asyncio():
            return
        running = self._running.pop(loop := asyncio.get_running_loop(), None)
        audit = self.process.audit
        if audit is not None and not self._running:
            await asyncio.to_thread(audit.end)  # a stream's last lines need the store's connection
        if running is not None:
            await running.stop()
        if audit is not None:
            audit.bridge.leave(loop)
        for writer in self.process.writers:
            await asyncio.to_thread(writer.flush)

    def hear(self, news: News) -> None:
        """Apply news from the store: its clock, the number of workers, and which success rules are wrong or proved."""
        process = self.process
        if news.anew:
            process.events.counts_anew()
        if news.at_us:
            process.clock_s.heard(news.at_us)
        for rule in process.trust.hear(news.rules):
            say_wrong(rule, rule_line(rule.door))
        process.workers = news.workers
        process.trust.share(process.settings.workers or max(1, news.workers))
        if process.settings.workers is None:
            process.own.limits = process.own_limits(max(1, news.workers))

    def _controlled(self, applied: Applied) -> None:
        """Apply the parts of the control record that are in force."""
        self._switch()
        if self.process.watch is not None:
            self.process.watch.force(applied.posture)
        for running in self._running.values():
            running.set_lists(applied)

    def _acted(self, acts: tuple[Act, ...]) -> None:
        """Obey and record what operators did since the last record, each act once."""
        process = self.process
        for act in acts:
            process.events.commanded(act.word, act.by, act.why, act.of if act.word == "mode" else "", subject_of(act))
            # Counters in the store are cleared by the command.
            process.shed.forget(act.digests)
            process.own.forget(act.digests, history=act.word in {"forget", "takeover"}, ended=act.ended)
            accounts = act.digests if act.of == "account" else ()
            if accounts or act.days:
                for running in self._running.values():
                    running.unblock(accounts, (*accounts, *act.days))

    def _switch(self) -> None:
        process = self.process
        # Only the signed record: an attacker who can write to the store must not switch the guard off.
        mode = self.control.applied.mode or process.settings.mode
        if mode is not process.mode:
            log.warning("mode is now %s", _said_of(mode, by_command=self.control.applied.mode is not None))
            process.events.mode_changed(mode)
            process.mode = mode
            for running in self._running.values():
                running.switch()

    def look_for_doors(self) -> None:
        """Start a check that logs which doors and protected routes the application, once started, does not have.

        Do nothing where the canary or the guard is off, or on a loop that is not asyncio's.
        """
        if self.process.settings.canary and self.process.mode is not Mode.OFF and runs_asyncio():
            self._here().look_for_doors()

    @property
    def feedback(self) -> Feedback:
        """Return what the service's reports of takeovers and false alarms are given to."""
        process, here = self.process, self._here()
        here.exchanges.follow()
        line = here.line
        settings = process.settings
        return Feedback(
            self._local_control if line is None else StoredControl(line, settings.namespace),
            ControlMac(settings.listed, settings.namespace),
            None if line is None else StoredCounters(line, settings.store, settings.namespace),
            FeedReader.of(settings, line, process.clock_s) if line is not None and settings.feed else None,
            settings,
            process.clocks.wall_s,
        )

    async def _check(self, question: bytes, token: bytes) -> bytes | None:
        """Try the doors that `sekisho check --url` asks for; None for a question that does not open."""
        from sekisho.check.question import QuestionSealer  # noqa: PLC0415 - ciphers, which limits alone do not need

        process = self.process
        asked = QuestionSealer(process.settings.signers, process.clock_s).opened(question, token)
        return as_answer(await self.probe(asked.known, asked.doors, None)) if asked is not None else None

    async def probe(self, known: Credentials | None, names: Collection[str], through: App | None) -> list[DoorReport]:
        """Try log-ins (see `LoginGuard.probe`), and return the reports. Other workers are told what they showed."""
        reports = await self.process.probe(known, names, through)
        await self._here().exchanges.tell()
        return reports


def _said_of(mode: Mode, *, by_command: bool) -> str:
    by = "by an operator's command: `sekisho mode` says whose, and why" if by_command else "as SEKISHO_MODE says"
    number = "" if mode is Mode.ENFORCE else f" [{NOT_ENFORCED.number}]"
    return f"{mode.value}, {by}{number}"


def subject_of(act: Act) -> Subject:
    """Return the subject of an operator's act for its event. A network is widened to one that events name."""
    network = counted_network(act.of) if act.word not in _NAMELESS else ""
    return Subject(network, act.account, act.address, act.device)
