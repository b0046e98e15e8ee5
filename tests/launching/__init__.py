"""Servers with several workers, started by the command lines of `docs/servers.md`."""
