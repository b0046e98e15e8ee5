"""`python -m benchmarks.step_up {timings,cost,figures} [--quick]`: see the module of each."""

from __future__ import annotations

import argparse
from importlib import import_module

PARTS = {
    "timings": "whether the time of an answer tells what a password was worth",
    "cost": "what the question for a proof, and its being possible, add to an attempt",
    "figures": "the results so far, as a page of docs/",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_up", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for name, about in PARTS.items():
        parts.add_parser(name, help=about).add_argument(
            "--quick", action="store_true", help="few attempts: a first look, not a result"
        )
    options = parser.parse_args()
    import_module(f"benchmarks.step_up.{options.part}").run(options)


if __name__ == "__main__":
    main()
