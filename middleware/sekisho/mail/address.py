"""Validate the address of a message, and format it for the wire.

Stricter than RFC 5321 on purpose. A hidden line end, a second address, a comment, or a letter that another program
folds into `@` would send one owner's code to another person.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from sekisho.model import SekishoError

ADDRESS_BYTES_MAX = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
LOCAL_BYTES_MAX = 64  # RFC 5321, 4.5.3.1.1

_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]"
_ASCII_LOCAL = re.compile(rf"(?:{_ATOM}|\.)+")
_DOT_ATOM = re.compile(r"[^.]+(?:\.[^.]+)*")
_DOMAIN = re.compile(
    r"(?!.*\.[0-9]+\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
# The first letters of general categories: C (controls, formats, surrogates, unassigned) and Z (separators).
_NO_LETTERS = frozenset("CZ")


class Unsendable(SekishoError):  # noqa: N818 - a verdict about an address or a text, and no fault of the program
    """An address or a text that cannot be in a message. The reason contains no part of it."""


class Address(NamedTuple):
    """A mailbox.

    Attributes:
        local: the part before the `@`, unquoted, as given: only its own host may fold it.
        domain: lower case and ASCII, other scripts as A-labels, which every server understands.
    """

    local: str
    domain: str

    @property
    def spec(self) -> str:
        """The address in the form for headers and the envelope (RFC 5322 `addr-spec`)."""
        # Japanese carriers once issued `a..b@` and `ab.@`. They are still in use, and valid only when quoted.
        return f"{self.local}@{self.domain}" if _DOT_ATOM.fullmatch(self.local) else f'"{self.local}"@{self.domain}'

    @property
    def international(self) -> bool:
        """Whether only servers with SMTPUTF8 (RFC 6531) accept the address."""
        return not self.local.isascii()

    def __repr__(self) -> str:
        return "Address(…)"


def address(text: str) -> Address:
    """Read one address and nothing else: no display name, no comment, no list.

    Raises:
        Unsendable: the text is no address, or mail programs read it in different ways.
    """
    local, at, domain = text.rpartition("@")
    if not at or len(text) > ADDRESS_BYTES_MAX:
        raise Unsendable("no address")
    found = Address(_local(local), _domain(domain))
    if len(found.spec.encode()) > ADDRESS_BYTES_MAX:
        raise Unsendable("too long")
    return found


def _local(text: str) -> str:
    bare = text[1:-1] if len(text) > 2 and text[0] == text[-1] == '"' else text
    # Mail programs decode `=?…?=` in a header as an encoded word: they would show another address than the envelope's.
    if not _plain(bare) or "=?" in bare:
        raise Unsendable("no local part")
    if len(bare.encode()) > LOCAL_BYTES_MAX:
        raise Unsendable("too long")
    return bare


def _plain(text: str) -> bool:
    if text.isascii():
        return bool(_ASCII_LOCAL.fullmatch(text))
    if any(unicodedata.category(letter)[0] in _NO_LETTERS for letter in text):
        return False
    # A full-width `＠` or `＂` is a letter until a server on the way normalises it.
    folded = "".join(letter for letter in unicodedata.normalize("NFKC", text) if letter.isascii())
    return not folded or bool(_ASCII_LOCAL.fullmatch(folded))


def _domain(text: str) -> str:
    name = text.lower()
    try:
        ascii_name = name.encode("idna").decode("ascii")
        # IDNA 2003 folds names that IDNA 2008 distinguishes (`faß.example`, `fass.example`): two domains, two owners.
        same = ascii_name == name or ascii_name.encode("ascii").decode("idna") == name
    except UnicodeError:
        raise Unsendable("no domain") from None
    if not same or not _DOMAIN.fullmatch(ascii_name):
        raise Unsendable("no domain")
    return ascii_name
