"""`python -m tests.real.document`: tries every service and writes the table of `docs/frameworks.md`."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real.catalogue import SERVICES
from tests.real.trial import served, tried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.catalogue import Service
    from tests.real.trial import Seen

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "frameworks.md"
BEGIN, END = "<!-- made by `make real` -->\n", "<!-- until here -->\n"
HEAD = (
    "| service | `SEKISHO_LOGIN` | right | wrong | known device | step-up: asked, proved, proved with a wrong password "
    "| without a rule | the log suggests |"
)


def table_of(text: str) -> list[str]:
    """The lines of the table in a document."""
    return text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()


def row(service: Service, seen: Seen) -> str:
    """The result of a trial in one line."""
    versions = ", ".join(f"{package} {version(package)}" for package in service.packages)
    guessed = "recognised" if service.guessed else "not recognised"
    suggested = f"`success={service.suggested.rstrip('?')}`" if service.suggested else "nothing"
    cells = (
        service.name,
        f"`{service.door}`<br>{versions}".replace("|", "\\|"),
        f"{_all(seen.right)}, device made known" if all(seen.known) else _all(seen.right),
        _all(seen.wrong),
        str(seen.device),
        f"{seen.asked}, {seen.released}, {seen.kept}",
        guessed,
        f"{suggested}, if nothing else sets it" if service.suggested.endswith("?") else suggested,
    )
    return f"| {' | '.join(cells)} |"


def _all(statuses: list[int]) -> str:
    return ", ".join(f"{len(list(same))} × {status}" for status, same in groupby(statuses))


def _rows() -> Iterator[str]:
    for module, services in groupby(SERVICES, key=lambda service: service.module):
        with served(module) as url:
            for service in services:
                sys.stdout.write(f"{service.name}\n")
                yield row(service, asyncio.run(tried(url, service)))


def main() -> None:
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    table = "\n".join([HEAD, "|" + "---|" * 8, *_rows()])
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
