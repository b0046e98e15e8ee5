"""What the corpus of breached passwords costs and what it is worth: `python -m benchmarks.corpus --help`.

Nothing heavy is imported here: the process that launches a build must stay small, or its memory would be counted as
the builder's.
"""
