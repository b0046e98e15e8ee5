"""Plays the attacks that emptied real wallets, without the guard and with it, and shows one table of both.

    python -m examples.wallet.stories            all of them: `make stories`
    python -m examples.wallet.stories --only 4   one of them
    DEMO_KEEP=1 python -m examples.wallet.stories --only 1    leaves the guarded wallet running, to click through

Nothing leaves this machine. The wallet hashes with one pass over 256 KiB, so that minutes stand for days.
"""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.progress import drawing

from .thieves import STORIES, Outcome, Play, Story, live, settle_in
from .world import redis_server, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from sekisho.cli.progress import Drawing

    from .world import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "stories.md"


class Played(NamedTuple):
    """A story and what came of it, without the guard and with it."""

    story: Story
    without: Outcome
    guarded: Outcome


async def play(story: Story, screen: Drawing, *, guarded: bool, keep: bool = False) -> Outcome:
    """Play a story once."""
    with TemporaryDirectory(prefix="sekisho-story-") as name:
        directory = Path(name)
        async with (
            _store(directory, wanted=story.weak is not None) as store,
            world(story.cast, directory, guarded=guarded, more=story.more | store, weak=story.weak) as found,
        ):
            screen.begin(f"{story.name}, {'guarded' if guarded else 'without'}", story.tries, "tries")
            outcome = await _played(story, found, screen)
            if keep:
                await _keep(found)
            return outcome


async def _played(story: Story, found: World, screen: Drawing) -> Outcome:
    outcome = Outcome()
    now = Play(found, outcome, screen.advance)
    settled = found.owners[-story.settled :] if story.settled else []
    browsers = await settle_in(now, settled)
    letters_before = await found.told()
    begun = time.monotonic()
    # Owners are about while the thieves are: an attack on others must not hinder them.
    lives = [live(now, owner, browser) for owner, browser in zip(settled, browsers, strict=True)]
    await asyncio.gather(story.attack(now), _at_leisure(lives))
    outcome.seconds = time.monotonic() - begun
    outcome.lost = await found.lost()
    outcome.told = max(0, await found.told() - letters_before)
    return outcome


async def _at_leisure(lives: list[Coroutine[object, object, None]]) -> None:
    for one in lives:
        await one
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _store(directory: Path, *, wanted: bool) -> AsyncIterator[dict[str, str]]:
    """A Redis of its own, on a socket, for services that share one."""
    program = redis_server()
    if not wanted or program is None:
        yield {}
        return
    socket = directory / "redis.sock"
    server = subprocess.Popen(  # noqa: ASYNC220, S603 - it returns at once
        [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not socket.exists() and server.poll() is None:  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
        yield {"SEKISHO_STORE": f"unix://{socket}"}
    finally:
        server.terminate()
        server.wait()


async def _keep(found: World) -> None:
    owner = next(one for one in found.owners if one.app)
    print(
        f"\nThe wallet is still there: http://127.0.0.1:{found.ports[0]}/login\n"
        f"An owner: {owner.email}  {owner.password}\nCtrl-C ends it.",
        file=sys.stderr,
    )
    with suppress(asyncio.CancelledError):
        while True:
            print(f"The owner's app shows {owner.code()}", file=sys.stderr)
            await asyncio.sleep(30)


HEAD = (
    "| story | year | lost without | lost with | accounts without | with | owners told | hindered | proofs |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def row(played: Played) -> str:
    """A row of the table, in Markdown."""
    story, before, after = played
    cells = (
        story.name, story.year, f"¥{before.lost:,}", f"¥{after.lost:,}", str(len(before.taken)), str(len(after.taken)),
        f"{after.told} + {len(after.due)}", f"{after.hindered} of {after.honest}", str(after.asked),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def table(played: list[Played]) -> str:
    return "\n".join([HEAD, *map(row, played)])


def show(played: list[Played]) -> None:
    """The table for a terminal."""
    head = f"{'':<37}{'without':>22}{'with the guard':>22}{'told':>9}{'hindered':>10}{'asked':>7}"
    print(f"\n{head}\n{'':<37}{'lost':>14}{'taken':>8}{'lost':>14}{'taken':>8}{'now+due':>9}")
    for story, before, after in played:
        told = f"{after.told}+{len(after.due)}"
        print(
            f"{story.name:<37}{f'¥{before.lost:,}':>14}{len(before.taken):>8}{f'¥{after.lost:,}':>14}"
            f"{len(after.taken):>8}{told:>9}{f'{after.hindered} of {after.honest}':>10}{after.asked:>7}"
        )


def written(played: list[Played], seconds: float) -> str:
    """The page `docs/stories.md`, with this table in it."""
    before, _, rest = PAGE.read_text().partition("<!-- table -->")
    _, _, after = rest.partition("<!-- end -->")
    return f"{before}<!-- table -->\n{table(played)}\n\nPlayed in {seconds:.0f} seconds.\n<!-- end -->{after}"


async def _all(stories: list[Story], keep: bool) -> list[Played]:
    found = []
    with drawing() as screen:
        for story in stories:
            if story.weak is not None and redis_server() is None:
                screen.say(f"{story.name}: left out, there is no redis-server")
                continue
            without = await play(story, screen, guarded=False)
            guarded = await play(story, screen, guarded=True, keep=keep)
            found.append(Played(story, without, guarded))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", type=int, choices=range(1, len(STORIES) + 1), help="the number of one story")
    parser.add_argument("--write", action="store_true", help="write the table into docs/stories.md")
    args = parser.parse_args()
    begun = time.monotonic()
    stories = [STORIES[args.only - 1]] if args.only else list(STORIES)
    played = asyncio.run(_all(stories, os.environ.get("DEMO_KEEP", "") not in {"", "0"} and args.only is not None))
    seconds = time.monotonic() - begun
    show(played)
    print(f"\n{seconds:.0f} seconds. Told: at once + half an hour later, where a proof was not completed.")
    if args.write:
        PAGE.write_text(written(played, seconds))
    # The guard's own promise: no story ends worse with it.
    return 0 if all(one.guarded.lost <= one.without.lost for one in played) else 1


if __name__ == "__main__":
    raise SystemExit(main())
