"""The domain of a mail address, looked up in a list of domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

LABELS_MAX = 16  # of a domain; real ones have six at most


def domain_key(domain: str) -> str:
    """The spelling in which domains are compared: ASCII, lower case; the text itself where it is no domain."""
    text = domain.strip().rstrip(".").lower()
    try:
        return text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        return text


def mailbox_key(address: str) -> str:
    """The spelling in which mailboxes are compared: without case, and without a tag after `+`.

    Otherwise one mailbox could be flooded under a thousand addresses.
    """
    local, _, domain = address.strip().rpartition("@")
    return f"{local.partition('+')[0].casefold()}@{domain_key(domain)}"


def is_of_domains(address: str, domains: AbstractSet[str]) -> bool:
    """Whether the address belongs to one of these domains, or to one below them. False for text without `@`."""
    _, at, domain = address.rpartition("@")
    if not at:
        return False
    labels = domain_key(domain).split(".")[-LABELS_MAX:]
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))
