"""Lua with its constants written out.

In Lua 5.1 a constant has no name that costs nothing: a `local` is captured by every function that uses it, in every
call of the script anew. The source keeps the names, for who reads it; Redis is given what they stand for.
"""

from __future__ import annotations

import re

_VALUE = r"(?:\d+|'[^',\\]*')"
_CONSTANTS = re.compile(
    rf"^local (?P<names>[A-Z][A-Z0-9_]*(?:, [A-Z][A-Z0-9_]*)*) = (?P<values>{_VALUE}(?:, {_VALUE})*)(?: *--.*)?$",
    re.MULTILINE,
)
# A name is only looked for where it can be one: not in a string, and not behind a point or as a field of a table.
_STRING_OR_WORD = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|(?<![\w.:])[A-Z][A-Z0-9_]*(?![\w'\"])")


def inlined(source: str) -> str:
    """The same script, with every `local NAME = number or string` at its top level replaced by what it stands for.

    Lines stay where they are, so that an error names the line that one finds.
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
