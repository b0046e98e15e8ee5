"""Proxies in front of a guarded service, with the configurations of `docs/proxies.md`."""
