"""The domain of a mail address, looked up in a list of domains; and the spellings in which targets of codes count."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

LABELS_MAX = 16  # of a domain; real ones have six at most
PREFIX_CHARS = 6  # of a telephone number: a country, and a network or a range in it


def domain_key(domain: str) -> str:
    """The spelling in which domains are compared: ASCII, lower case; the text itself where it is no domain."""
    text = domain.strip().rstrip(".").lower()
    try:
        return text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        return text


def mailbox_key(address: str) -> str:
    """The spelling in which mailboxes are compared: without case, and without a tag after `+`.

    Otherwise one mailbox could be flooded under a thousand addresses. Telephone numbers are compared by letters and
    digits alone.
    """
    local, at, domain = address.strip().rpartition("@")
    return f"{local.partition('+')[0].casefold()}@{domain_key(domain)}" if at else _number(address)


def prefix_key(address: str) -> str:
    """The part that many targets share: the domain of a mail address, or the first digits of a telephone number.

    An attacker who earns by messages to a range of numbers sends each number one.
    """
    _, at, domain = address.rpartition("@")
    return domain_key(domain) if at else _number(address)[:PREFIX_CHARS]


def _number(text: str) -> str:
    # Without zeros in front: `0081` and `+81` lead to one country.
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text))).casefold().lstrip("0")


def is_of_domains(address: str, domains: AbstractSet[str]) -> bool:
    """Whether the address belongs to one of these domains, or to one below them. False for text without `@`."""
    _, at, domain = address.rpartition("@")
    if not at:
        return False
    labels = domain_key(domain).split(".")[-LABELS_MAX:]
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))
