"""Simulated traffic: the log-ins of account owners and attackers, to measure a guard with.

`generator` produces the attempts; `engine` sends them over HTTP; `tally` counts the answers; `bound` computes how much
the limits can admit. Demo, replay and laboratory use the same generator.
"""
