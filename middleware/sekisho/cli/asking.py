"""Read passwords from the terminal, without echo, or from a line on standard input; never from arguments.

Errors describe the state of the input and never contain it.
"""

from __future__ import annotations

import sys
import warnings
from getpass import GetPassWarning, getpass

from sekisho.cli.usage import Misused

__all__ = ["account", "line", "password"]

LINE_BYTES_MAX = 4096


def password() -> str:
    """Ask without echo on a terminal; otherwise read the next line of standard input.

    Raises:
        Misused: the input is empty, too long, or no text, or the terminal would show it.
    """
    if not _at_terminal():
        return line("password")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return _sound(getpass("Password (not shown): "), "password")
    except GetPassWarning:
        raise Misused("this terminal would show the password; give it as a line on standard input") from None
    except EOFError:
        raise Misused("no password was typed") from None
    except UnicodeError:
        raise Misused("the typed text is not valid in this terminal's encoding") from None


def account() -> str:
    """Ask for an account with echo on a terminal; otherwise read it as the next line of standard input.

    Raises `Misused` where the input is empty, too long, or no text.
    """
    return line("account")


def _at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def line(what: str) -> str:
    """Ask with echo on a terminal; otherwise return the next line of standard input. `what`: the name of the input.

    Raises `Misused` where the input is closed, or the line is empty, too long, or no text.
    """
    if sys.stdin is None:
        raise Misused(f"standard input is closed: there is no {what} to read")
    if _at_terminal():
        sys.stderr.write(f"{what.capitalize()}: ")
        sys.stderr.flush()
    try:
        # Bytes: the locale of a cron job must not change how a password is decoded.
        return _sound(sys.stdin.buffer.readline(LINE_BYTES_MAX + 2).decode(), what)
    except UnicodeError:
        raise Misused(f"the line with the {what} is not UTF-8") from None


def _sound(line: str, what: str) -> str:
    text = line.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Misused(f"no {what} was given; write it as a line on standard input, or run this in a terminal")
    if len(text.encode()) > LINE_BYTES_MAX:
        raise Misused(f"the {what} is longer than {LINE_BYTES_MAX} bytes")
    return text


def confirmed(question: str) -> bool:
    """Put a question on the terminal, and return whether `yes` was typed.

    Raises `Misused` where there is no terminal.
    """
    if not _at_terminal():
        raise Misused("this asks before it acts, and there is no terminal: give --yes")
    sys.stderr.write(f"{question} Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline(16).strip() == "yes"
