"""Counters beside those of an attempt."""
