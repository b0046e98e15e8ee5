"""Tests of the reader, which interprets any request that a stranger may send."""
