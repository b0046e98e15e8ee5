"""Fifty million log-ins of two days, through the guard and a real Redis, in minutes; and whether all were counted.

plan     what is replayed, and what the limits say should become of it
site     the guard as `LoginGuard` makes it, on the scenario's clock
tally    what became of the attempts, and what the ledger was asked
worker   a process that drives its share of the attempts
store    the Redis: kept between runs, its records put on ice while nothing runs
lead     starts the workers, watches them, stops them
proof    whether anything was lost
report   the result as table, page and picture
"""
