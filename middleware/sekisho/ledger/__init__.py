"""Counts attempts: one arithmetic (`arithmetic`), in memory or in Redis. `shed` caches refusals in front of it."""
