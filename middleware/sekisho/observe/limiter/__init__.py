"""The limiter: one arithmetic (`ledger`), kept in memory or in Redis, with a memory of refusals in front (`shed`)."""
