"""Normalisation of typed codes: Japanese keyboards produce full-width characters, and pasting adds blanks.

Folding uses a table of single characters, not a Unicode normal form: NFKC also reads `①` and `²` as digits, and no test
covers such further spellings of a code.
"""

from __future__ import annotations

from string import ascii_letters, digits

TYPED_CHARS_MAX = 64  # more than any code in groups needs; longer texts are not read
BLANKS = " \t\u00a0\u2009\u202f\u3000"
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d\u30fc"  # the last one: the hyphen key in Japanese input
_WIDE = 0xFEE0  # from an ASCII character to its full-width form
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_DIGITS = dict.fromkeys(map(ord, BLANKS)) | {ord(digit) + _WIDE: digit for digit in digits}
_LOOK_ALIKES = str.maketrans("OIL", "011")
_SYMBOLS: dict[int, str | None] = dict.fromkeys(map(ord, BLANKS + DASHES)) | {
    ord(char) + wide: char.upper().translate(_LOOK_ALIKES) for char in ascii_letters + digits for wide in (0, _WIDE)
}


def folded_digits(typed: str, length: int) -> str | None:
    """Return `length` ASCII digits, or None. Folds full-width digits and blanks; refuses all other characters."""
    if len(typed) > TYPED_CHARS_MAX:
        return None
    text = typed.translate(_DIGITS)
    return text if len(text) == length and text.isascii() and text.isdigit() else None


def folded_symbols(typed: str, length: int) -> str | None:
    """Return `length` symbols of Crockford's base32, or None.

    Case, width, blanks and dashes are folded. As Crockford defines, O reads as 0, I and L as 1, and U is no symbol.
    """
    if len(typed) > TYPED_CHARS_MAX:
        return None
    text = typed.translate(_SYMBOLS)
    return text if len(text) == length and all(symbol in _CROCKFORD for symbol in text) else None


def symbols(number: int, length: int) -> str:
    """Write a number in Crockford's base32, most significant symbol first."""
    return "".join(_CROCKFORD[number >> 5 * place & 31] for place in reversed(range(length)))
