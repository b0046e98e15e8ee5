"""What every benchmark is asked alike."""

from __future__ import annotations

import argparse


def parser(doc: str | None, *, quick: str = "six short rounds") -> argparse.ArgumentParser:
    """A parser that says `doc`, and takes `--quick` for a first look that is `quick`."""
    found = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--quick", action="store_true", help=f"{quick}: a first look, not a result")
    return found
