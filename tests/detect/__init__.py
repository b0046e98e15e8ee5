"""Tests of `sekisho.detect`."""
