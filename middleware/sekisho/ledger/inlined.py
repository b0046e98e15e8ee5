"""Writes the constants into Lua source.

In Lua 5.1 a named constant has a cost: every function captures each `local` that it uses, anew in every call of the
script. The source keeps the names for its readers; Redis gets the values.
"""

from __future__ import annotations

import re

_VALUE = r"(?:\d+|'[^',\\]*')"
_CONSTANTS = re.compile(
    rf"^local (?P<names>[A-Z][A-Z0-9_]*(?:, [A-Z][A-Z0-9_]*)*) = (?P<values>{_VALUE}(?:, {_VALUE})*)(?: *--.*)?$",
    re.MULTILINE,
)
# A name is replaced only where it can be a variable: not in a string, after a point, or as a field of a table.
_STRING_OR_WORD = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|(?<![\w.:])[A-Z][A-Z0-9_]*(?![\w'\"])")


def inlined(source: str) -> str:
    """Return the script with every top-level `local NAME = number or string` replaced by its value.

    Lines keep their numbers, so that an error names the right line of the source.
    """
    values: dict[str, str] = {}

    def take(line: re.Match[str]) -> str:
        names, given = line["names"].split(", "), line["values"].split(", ")
        if len(names) != len(given):
            return line[0]
        values.update(zip(names, given, strict=True))
        return ""

    without = _CONSTANTS.sub(take, source)
    return _STRING_OR_WORD.sub(lambda found: values.get(found[0], found[0]), without)
