"""`sekisho simulate --replay`: recorded attempts under other limits, and which decisions would change."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from sekisho.cli.output import many
from sekisho.cli.progress import drawing
from sekisho.cli.usage import Misused
from sekisho.model import SekishoError
from sekisho.record.counted import counted_of
from sekisho.record.replay import ReplayError, numbered
from sekisho.settings import load
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.what_if import ReplayTally, Rules, in_order, judge_again
from sekisho.wiring.process import policy_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from sekisho.cli.progress import Drawing
    from sekisho.settings import Settings
    from sekisho.simulate.what_if.items import Line

STANDARD_INPUT: Final = "-"
AS_SET: Final = "as set"
LOOK_EVERY: Final = 1_000
UNTOLD: Final = (
    "no line says what the counters were asked: switch SEKISHO_AUDIT_REPLAY on, and replay what is written from then on"
)
_SECRET: Final = b"only for replays: nothing that this signs leaves the process"
_RENAMED: Final = re.compile(r"\.(\d+)(\.gz)?")


class UnreadableLine(SekishoError):  # noqa: N818 - a state of the file
    """A line of a file is no event. The message names the line, and contains nothing of it."""


def run(args: argparse.Namespace) -> int:
    written = (args.document, args.svg, args.curves, args.kept, args.at, args.jobs)
    if any((args.list, args.no_play, args.scenario, args.seed, args.scale, *written)):
        raise Misused("--replay plays what was recorded: it takes --policy, --policies and --json only")
    found = [_replayed(name, settings, args) for name, settings in _rules(args).items()]
    if all(not tally.attempts for _, tally in found) and any(tally.untold for _, tally in found):
        raise UnreadableLine(UNTOLD)
    if args.json:
        print(json.dumps([{"policy": name, **tally.as_json()} for name, tally in found], indent=2))
    else:
        print("\n\n".join("\n".join(_text(name, tally)) for name, tally in found))
    return 0


def _rules(args: argparse.Namespace) -> dict[str, Settings]:
    """The settings of each policy: the service's own, with the policy's in front."""
    if not args.policy:
        return {AS_SET: _settings({})}
    text = None if args.policies is None else Path(args.policies).read_text(encoding="utf-8")
    known = policies(text)
    if any(name not in known for name in args.policy):
        raise Misused("no such policy; --list shows them, and another limiter cannot judge what was recorded")
    return {name: _settings(known[name].settings) for name in args.policy}


def _settings(overrides: Mapping[str, str]) -> Settings:
    # The application may give LoginGuard its owners and senders as objects, which cannot be seen from here.
    return load(
        {name: text for name, text in os.environ.items() if name != "SEKISHO_AUDIT"},
        overrides,
        ephemeral_secret=_SECRET,
        has_owners="SEKISHO_OWNERS" not in os.environ,
        has_sender=True,
    )


def _replayed(name: str, settings: Settings, args: argparse.Namespace) -> tuple[str, ReplayTally]:
    tally = ReplayTally()
    rules = Rules(
        settings.limits,
        policy_of(settings),
        settings.asked,
        {door.name: door for door in settings.doors},
    )
    with drawing() as progress:
        progress.begin(f"replay, {name}", None, "lines")
        judge_again(in_order(_events(args.replay, progress), tally), rules, tally)
        progress.end()
    return name, tally


def renamed(path: Path) -> list[Path]:
    """A file of the audit, after those that it was renamed to: `FILE.2`, `FILE.1`, `FILE`, the oldest first."""
    found = {
        int(match[1]): other
        for other in path.parent.glob(f"{path.name}.*")
        if (match := _RENAMED.fullmatch(other.name.removeprefix(path.name)))
    }
    return [*(found[number] for number in sorted(found, reverse=True)), path]


def _events(named: list[str], progress: Drawing) -> Iterator[Line]:
    for name in named:
        if name == STANDARD_INPUT:
            yield from _of(sys.stdin.buffer, "standard input", progress)
            continue
        for path in renamed(Path(name)):
            with _opened(path) as file:
                yield from _of(file, path.name, progress)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        if path.suffix == ".gz":
            with gzip.open(file) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield file


def _of(file: BinaryIO, name: str, progress: Drawing) -> Iterator[Line]:
    number = 0
    try:
        for number, event in numbered(file):
            yield event, counted_of(event.subject.counted) if event.subject.counted else None
            if not number % LOOK_EVERY:
                progress.advance(LOOK_EVERY)
    except ReplayError as error:
        raise UnreadableLine(f"{name}: {error}") from None
    except ValueError:
        raise UnreadableLine(f"{name}: line {number} has a field counted that is damaged") from None


def _text(name: str, tally: ReplayTally) -> Iterator[str]:
    yield f"{name}: {many(tally.attempts, 'attempt')} judged again, {tally.stricter + tally.milder:,} differently"
    rows = tally.rows()
    if rows:
        wide = max(len(row.door) for row in rows)
        yield f"{'door':<{wide}}  {'action':<9}  {'recorded':>9}  {'now':>9}  {'come':>7}  {'gone':>7}  reasons"
        for row in rows:
            numbers = f"{row.recorded:>9,}  {row.now:>9,}  {row.come:>7,}  {row.gone:>7,}"
            yield f"{row.door:<{wide}}  {row.action:<9}  {numbers}  {row.reason or '–'}"
    yield from _changes(tally)
    yield from _left_out(tally)


def _changes(tally: ReplayTally) -> Iterator[str]:
    if tally.stricter:
        outcomes = ", ".join(f"{number:,} {result}" for result, number in sorted(tally.outcomes.items()))
        yield f"stricter: {tally.stricter:,}" + (f" (recorded outcomes: {outcomes})" if outcomes else "")
    if tally.refused:
        yield (
            f"  {tally.refused:,} that passed would be refused or asked, at "
            f"{many(len(tally.accounts), 'account')} from "
            f"{many(len(tally.addresses), 'address', 'addresses')}; --json names their digests"
        )
    if tally.milder:
        yield f"milder: {tally.milder:,}; {tally.admitted:,} of them would pass; each counts as a wrong secret"


def _left_out(tally: ReplayTally) -> Iterator[str]:
    if tally.untold:
        untold = many(tally.untold, "attempt has", "attempts have")
        yield f"{untold} a line that does not say what the counters were asked"
    if total := sum(tally.summed.values()):
        summed = many(total, "attempt is", "attempts are")
        yield f"{summed} in sums of a flood, which name no client, and not judged again:"
        for (door, action, reason), times in sorted(tally.summed.items()):
            yield f"  {door}  {action}  {reason or '–'}: {times:,}"
