"""Are the thresholds well chosen? `python -m benchmarks.thresholds [--quick]`.

`grid` lists thresholds and the values beside their present ones, `play` runs the laboratory with each, `compare` says
where another value is better, `page` writes `docs/thresholds.md`.
"""
