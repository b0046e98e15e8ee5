"""Known devices beside floods larger than the machine: see `benchmarks.overload.__main__`."""
