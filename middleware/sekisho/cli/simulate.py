"""Play scenarios in a laboratory: owners and attackers before the whole guard, in this process, on simulated time.

A scenario is a name of those that come with sekisho, or a TOML file; `--list` shows them. A policy is the settings of
the guard under test, or a small model of another limiter. The same scenario, policy, seed and scale give the same
table.

Nothing is sent anywhere, and no setting of the environment is read.

  sekisho simulate --replay /var/log/sekisho/audit.jsonl                    under the service's own settings
  sekisho simulate --replay audit.jsonl --policies mine.toml --policy half  under others: which decisions change

`--replay` judges the attempts of an audit again (SEKISHO_AUDIT_REPLAY=on while it was written), with the guard's own
ledger and judge. Files that the audit was renamed to (FILE.1, FILE.2.gz) are read before FILE; `-` is standard input.
A policy's settings are put over those of the environment. docs/what-if.md says what the numbers mean.
"""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.cli import what_if
from sekisho.cli.guards import build_of
from sekisho.cli.progress import drawing
from sekisho.cli.side_by_side import Run, results_of
from sekisho.cli.usage import Misused, within
from sekisho.files import replace_text
from sekisho.simulate.laboratory import NotStarted, ScenarioError, packaged, read_scenario, simulate
from sekisho.simulate.laboratory.curve import curve, points
from sekisho.simulate.laboratory.document import document
from sekisho.simulate.laboratory.kept import KeptRuns, run_key
from sekisho.simulate.laboratory.peers import PEERS
from sekisho.simulate.laboratory.picture import picture
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.report import Played, by_scenario, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from sekisho.cli.progress import Drawing
    from sekisho.simulate.laboratory import Results, Scenario
    from sekisho.simulate.laboratory.policy import PlayedPolicy


NOTHING: Final = read_scenario(
    "nothing", 'hours = [0, "no time"]\nowners = { count = [1, "one"], history_days = [0, "none"] }'
)
"""A scenario in which nothing happens: the guard starts and ends."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="a name, or a TOML file; none: all names")
    parser.add_argument("--list", action="store_true", help="show scenarios and policies, and play none")
    parser.add_argument(
        "--policy", action="append", metavar="NAME", help="a policy or another limiter; repeatable [default]"
    )
    parser.add_argument("--policies", metavar="FILE", help="a TOML file of policies, in place of sekisho's")
    parser.add_argument("--seed", action="append", type=within(0, 1 << 32), metavar="N", help="repeatable [1]")
    parser.add_argument("--scale", type=_scale, metavar="X", help="owners and attempts, times X [each scenario's own]")
    parser.add_argument(
        "--jobs", type=within(1, 1024), metavar="N", help="play so many runs at once, in as many processes [1]"
    )
    parser.add_argument("--kept", metavar="FILE", help="keep results here, and play no run that is in it already")
    parser.add_argument("--no-play", action="store_true", help="show what is in --kept, and leave out what is not")
    parser.add_argument("--at", default="", metavar="NAME", help="with --kept: the commit that is played")
    parser.add_argument("--document", metavar="FILE", help="also write the tables as Markdown, with all parameters")
    parser.add_argument(
        "--replay", action="append", metavar="FILE", help="judge the attempts of an audit instead; - for standard input"
    )
    parser.add_argument("--curves", metavar="FOLDER", help="with --document: also draw its curves into a folder")
    parser.add_argument("--svg", metavar="FOLDER", help="also draw a picture for each scenario into a folder")


def _scale(text: str) -> float:
    if not 0.001 <= (value := float(text)) <= 1000:
        raise ValueError
    return value


_scale.__name__ = "number from 0.001 to 1,000"


def run(args: argparse.Namespace) -> int:
    if args.replay:
        return what_if.run(args)
    _refuse_what_has_no_effect(args)
    if args.list:
        return _list(args)
    found = [_scenario(name).scaled(args.scale) for name in args.scenario or packaged()]
    _refuse_twice("SCENARIO", [scenario.name for scenario in found])
    _refuse_twice("--policy", args.policy or [])
    _refuse_twice("--seed", args.seed or [])
    known = policies(_text(args.policies))
    kept = KeptRuns(Path(args.kept) if args.kept else None, args.at)
    with settings_hidden(), drawing() as progress:
        if not args.no_play:
            _start(args.policy or ["default"], known)
        # All runs of a seed before the next seed, so that what is cut off is whole for some seeds.
        runs = [Run(*each, seed) for seed in args.seed or [1] for each in product(found, args.policy or ["default"])]
        if args.jobs and args.jobs > 1:
            _play_side_by_side(runs, known, args.jobs, kept, progress)
        played = [_played(run, known, kept, progress) for run in runs if not args.no_play or _key(run, known) in kept]
    if args.document:
        page = Path(args.document)
        replace_text(page, document(played, known, curves=_curves(played, page, args.curves)))
    if args.svg:
        _draw(played, Path(args.svg))
    if args.json:
        print(json.dumps([each.as_json() for each in played], indent=2))
    else:
        print(table(played))
    return 0


def _refuse_what_has_no_effect(args: argparse.Namespace) -> None:
    """Raises `Misused`: a file that was asked for and not written would be missed hours later."""
    played = (args.scenario, args.policy, args.seed, args.scale, args.kept, args.no_play, args.at, args.jobs)
    if args.list and any((*played, args.document, args.curves, args.svg)):
        raise Misused("--list plays nothing: it takes --policies and --json only")
    if args.no_play and not args.kept:
        raise Misused("--no-play shows the runs of the file that --kept names")
    if args.no_play and args.jobs:
        raise Misused("--jobs plays runs, and --no-play none")
    for option, given, owner, has_owner in (
        ("--curves", args.curves, "--document", args.document),
        ("--at", args.at, "--kept", args.kept),
    ):
        if given and not has_owner:
            raise Misused(f"{option} belongs to {owner}")


def _refuse_twice(what: str, names: Sequence[object]) -> None:
    """Raises `Misused`: runs of one name are added up, so that one would count twice, or two files as one scenario."""
    if len(set(names)) < len(names):
        raise Misused(f"{what}: two have the same name")


@contextmanager
def settings_hidden() -> Iterator[None]:
    """A context without the service's own settings, on which a result must not depend, and without logs of refusals.

    Those are too many to read.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.upper().startswith("SEKISHO_")}
    log = logging.getLogger("sekisho")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
        os.environ.update(hidden)


def _list(args: argparse.Namespace) -> int:
    shown: dict[str, dict[str, str]] = {
        "scenarios": {name: read_scenario(name, text).title for name, text in packaged().items()},
        "policies": {name: each.about for name, each in policies(_text(args.policies)).items()},
        "peers": dict.fromkeys(PEERS, "a model of another limiter"),
    }
    if args.json:
        print(json.dumps(shown, indent=2))
        return 0
    for kind, every in shown.items():
        print(f"{kind}:")
        for name, about in every.items():
            print(f"  {name:<24} {about}")
    return 0


def _text(path: str | None) -> str | None:
    return None if path is None else _read(Path(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: no TOML: is not UTF-8") from None


def _scenario(name: str) -> Scenario:
    known = packaged()
    if name in known:
        return read_scenario(name, known[name])
    if not name.endswith(".toml"):
        raise Misused("no such scenario; --list shows them, and the name of a file ends in .toml")
    return read_scenario(Path(name).stem, _read(Path(name)))


def _start(names: list[str], known: Mapping[str, PlayedPolicy]) -> None:
    """Start every guard once, before the first run: a mistake in the last policy must not end hours of runs."""
    if any(name not in known and name not in PEERS for name in names):
        raise Misused("no such policy; --list shows them")
    for name in names:
        try:
            build, has_factors = build_of(name, known)
            simulate(NOTHING, build, seed=1, has_factors=has_factors)
        except NotStarted as error:
            raise NotStarted(f"policy {name}: {error}") from None


def _key(run: Run, known: Mapping[str, PlayedPolicy]) -> str:
    settings = known[run.policy].settings if run.policy in known else {}
    return run_key(run.scenario, run.policy, settings, run.seed)


def _play_side_by_side(
    runs: list[Run], known: Mapping[str, PlayedPolicy], jobs: int, kept: KeptRuns, progress: Drawing
) -> None:
    """Play all runs that are not kept yet, and keep them."""
    left = {key: run for run in runs if (key := _key(run, known)) not in kept}
    if not left:
        return
    progress.begin(f"{jobs} at once", len(left), "runs")
    for run, results, took_s in results_of(list(left.values()), known, jobs=jobs):
        kept.keep(_key(run, known), results, took_s)
        progress.advance(1)
    progress.end()


def _played(run: Run, known: Mapping[str, PlayedPolicy], kept: KeptRuns, progress: Drawing) -> Played:
    return Played(*run, *kept.played(_key(run, known), partial(_results, run, known, progress), time.monotonic))


def _results(run: Run, known: Mapping[str, PlayedPolicy], progress: Drawing) -> Results:
    build, has_factors = build_of(run.policy, known)
    progress.begin(f"{run.scenario.name}, {run.policy}, seed {run.seed}", None, "log-ins and attempts")
    look = partial(_look, progress)
    results = simulate(run.scenario, build, seed=run.seed, has_factors=has_factors, look=look)
    progress.end()
    return results


def _look(progress: Drawing, done: int) -> None:
    progress.look(done)


def _curves(played: list[Played], page: Path, folder: str | None) -> str:
    """Draw the curves; the folder as the page links to it."""
    if folder is None:
        return ""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, runs in by_scenario(played).items():
        if found := points(runs):
            replace_text(Path(folder) / f"{name}.svg", curve(runs[0].scenario.title, found))
    return os.path.relpath(folder, page.parent)


def _draw(played: list[Played], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(each.scenario.name for each in played):
        replace_text(folder / f"{name}.svg", picture([each for each in played if each.scenario.name == name]))
