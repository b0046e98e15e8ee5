"""`python -m benchmarks.step_up {timings,flooded,enrolled,doors,cost,figures} [--quick]`: see the module of each."""

from __future__ import annotations

from importlib import import_module

from benchmarks.arguments import part_parsers

PARTS = {
    "timings": "whether the time of an answer tells what a password was worth",
    "flooded": "whether it tells that beside a flood, or that there is an account",
    "enrolled": "whether the time of a step-up tells what an account has enrolled",
    "doors": "whether the time of an answer at another door tells whether there is an account",
    "cost": "what the question for a proof, and its being possible, add to an attempt",
    "figures": "the results so far, as a page of docs/",
}
FUNCTIONS = {
    "timings": "measure_timings",
    "flooded": "measure_flooded",
    "enrolled": "measure_enrolled",
    "doors": "measure_doors",
    "cost": "measure_step_up_cost",
    "figures": "write_step_up_figures",
}


def main() -> None:
    options = part_parsers("benchmarks.step_up", __doc__, PARTS, quick="few attempts")[0].parse_args()
    getattr(import_module(f"benchmarks.step_up.{options.part}"), FUNCTIONS[options.part])(options)


if __name__ == "__main__":
    main()
