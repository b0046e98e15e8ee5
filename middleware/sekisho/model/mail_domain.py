"""Mail addresses: whether two are one recipient, the domain for a list of domains, and how targets of codes count."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

LABELS_MAX = 16  # of a domain; real ones have six at most
PREFIX_CHARS = 6  # of a telephone number: a country, and a network or a range in it
DIGITS_MIN = 7  # of a number in front of an extension


_SIGNS = ("Pd", "Ps", "Pe", "Zs")  # dashes, brackets and blanks


_LOWER = {ord(letter): ord(letter) + 32 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def recipient_key(address: str) -> str:
    """The spelling in which two addresses are one recipient: without blanks around, ASCII letters in lower case.

    No other letter is folded: `x@groß.example` and `x@gross.example` are two mailboxes, and a link or a code for one
    that goes to the other is a thief's. For counts, which may fold too much, see `mailbox_key`.
    """
    return address.strip().translate(_LOWER)


def domain_key(domain: str) -> str:
    """The spelling in which domains are compared: ASCII, lower case; the text itself where it is no domain."""
    text = domain.strip().rstrip(".").lower()
    try:
        return text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        return text


def mailbox_key(address: str) -> str:
    """The spelling in which mailboxes are compared: without case, quotes, dots, and a tag after `+`.

    Otherwise one mailbox could be flooded under a thousand addresses: large providers ignore dots. Two mailboxes that
    differ in dots share a count. Telephone numbers are compared by letters and digits alone, without an extension.
    """
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return _number(address)
    bare = local.strip('"').partition("+")[0].replace(".", "")
    return f"{bare.casefold()}@{domain_key(domain)}"


def prefix_key(address: str) -> str:
    """The part that many targets share: the domain of a mail address, or the first digits of a telephone number.

    An attacker who earns by messages to a range of numbers sends each number one.
    """
    _, at, domain = address.rpartition("@")
    return domain_key(domain) if at else _number(address)[:PREFIX_CHARS]


def _number(text: str) -> str:
    # Without zeros in front: `0081` and `+81` lead to one country.
    plain = unicodedata.normalize("NFKC", text)
    digits = _before_extension(plain)
    return ("".join(filter(str.isalnum, plain)).casefold() if len(digits) < DIGITS_MIN else digits).lstrip("0")


def _before_extension(text: str) -> str:
    """The digits of a telephone number. At `ext. 5`, `,5`, `;5` or `#5` it ends: senders drop what follows."""
    digits = []
    for char in text:
        if char.isdecimal():
            digits.append(str(unicodedata.decimal(char)))
        elif char not in "+./" and unicodedata.category(char) not in _SIGNS:
            break
    return "".join(digits)


def is_of_domains(address: str, domains: AbstractSet[str]) -> bool:
    """Whether the address belongs to one of these domains, or to one below them. False for text without `@`."""
    _, at, domain = address.rpartition("@")
    if not at:
        return False
    labels = domain_key(domain).split(".")[-LABELS_MAX:]
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))
