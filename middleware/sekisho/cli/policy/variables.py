"""Variables of a file, a preset or this environment."""

from __future__ import annotations

import codecs
import os
import shlex
from pathlib import Path

from sekisho.cli.usage import Misused
from sekisho.settings.choices import Preset
from sekisho.settings.table import PRESET

NOW = "now"
FILE_BYTES_MAX = 1_048_576
_QUOTES = {"'", '"'}


def variables_of(given: str) -> dict[str, str]:
    """The environment that an argument names: `now` (this one), a preset (this one with that preset), or a file.

    Raises `Misused` where it is none of them, and `OSError` where the file cannot be read.
    """
    if given == NOW:
        return dict(os.environ)
    if given in {preset.value for preset in Preset}:
        return {**os.environ, PRESET.variable: given}
    if not Path(given).exists():
        presets = ", ".join(preset.value for preset in Preset)
        raise Misused(f"there is no such file, and it is neither a preset ({presets}) nor {NOW!r}")
    return from_file(Path(given))


def from_file(path: Path) -> dict[str, str]:
    """The variables of a file of lines `NAME=VALUE`, for systemd, a shell or Docker. Raises `Misused` for other lines.

    A value between quotation marks is read as a shell reads it, any other one as it stands.
    """
    with path.open("rb") as file:
        text = file.read(FILE_BYTES_MAX + 1)
    if len(text) > FILE_BYTES_MAX:
        raise Misused("the file is longer than a file of variables can be")
    if text.startswith(codecs.BOM_UTF8):
        raise Misused(
            "the file begins with a byte order mark, as editors on Windows write it, and systemd and shells lose its "
            "first line: save it as UTF-8 without one"
        )
    found = {}
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        name, value = _variable(line, f"line {number}")
        if name:
            found[name] = value
    return found


def _variable(line: str, where: str) -> tuple[str, str]:
    """Name and value; an empty name for a line without any."""
    text = line.strip().removeprefix("export ")
    if not text or text.startswith("#"):
        return "", ""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise Misused(f"{where} is not NAME=VALUE")
    return name, _unquoted(value, where) if value[:1] in _QUOTES else value


def _unquoted(value: str, where: str) -> str:
    try:
        words = shlex.split(value, comments=True)
    except ValueError:
        raise Misused(f"{where} has a quotation mark without its end") from None
    if len(words) != 1:
        raise Misused(f"{where} goes on after its quotation mark")
    return words[0]
