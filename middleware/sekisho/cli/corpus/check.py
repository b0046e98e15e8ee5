"""Look up a password that you type: whether it has leaked, and about how often.

It is asked for on the terminal, without echo, or read as one line from standard input. It cannot be given as an
argument. With --pairs the account is asked for first (or is the first of two lines), and the pair is looked up too.

Exit code: 0 if it is in none of the files; 1 if it is in one, or if the look-up failed; 2 if the command line was
invalid.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha1
from typing import TYPE_CHECKING, NamedTuple

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.pairs import PairDigests, Pairs
from sekisho.cli import asking
from sekisho.cli.corpus.common import existing, settings
from sekisho.cli.usage import Misused
from sekisho.model import Pair, SettingsError
from sekisho.read.account import canonical

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["arguments", "run"]

_IN_ENVIRONMENT = ""  # `--pairs` without a file

_PAIRS = {
    Pair.EXACT: "this account and this password stand together in leaked lists",
    Pair.VARIANT: "this account stands in leaked lists with a password that differs a little",
}


class _Files(NamedTuple):
    passwords: Corpus | None
    pairs: Corpus | None
    key: bytes


class _Found(NamedTuple):
    """The result of a look-up; `None` if there was no file for it."""

    files: _Files
    prevalence: int | None
    pair: Pair | None

    @property
    def leaked(self) -> bool:
        return bool(self.prevalence) or bool(self.pair)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="of leaked passwords; else that of SEKISHO_CORPUS")
    parser.add_argument(
        "--pairs",
        nargs="?",
        const=_IN_ENVIRONMENT,
        metavar="FILE",
        help="look the account and the password up together, in this file of pairs or that of SEKISHO_PAIRS; its key "
        "is SEKISHO_PAIRS_KEY or in the file that SEKISHO_PAIRS_KEY_FILE names",
    )


def run(args: argparse.Namespace) -> int:
    # Report all mistakes before the user types a password.
    files = _Files(_passwords(args), *_pairs(args))
    if files.passwords is None and files.pairs is None:
        raise Misused("name a FILE, or set SEKISHO_CORPUS")
    account = asking.account() if files.pairs is not None else ""
    found = _look_up(files, account, asking.password())
    if args.json:
        print(json.dumps(_figures(found), indent=2))
    else:
        print(*_told(found), sep="\n")
    return 1 if found.leaked else 0


def _passwords(args: argparse.Namespace) -> Corpus | None:
    if args.file is not None:
        return Corpus.open(existing("FILE", args.file), kind="passwords")
    path = settings("CORPUS").corpus
    return None if path is None else Corpus.open(path, kind="passwords")


def _pairs(args: argparse.Namespace) -> tuple[Corpus | None, bytes]:
    if args.pairs is None:
        return None, b""
    names = ("PAIRS_KEY", "PAIRS") if args.pairs == _IN_ENVIRONMENT else ("PAIRS_KEY",)
    found = settings(*names)
    if not found.pairs_key:
        raise SettingsError("SEKISHO_PAIRS_KEY", "is not set, and pairs can only be looked up with their key")
    if args.pairs != _IN_ENVIRONMENT:
        path = str(existing("--pairs", args.pairs))
    elif found.pairs is not None:
        path = found.pairs
    else:
        raise Misused("name a file after --pairs, or set SEKISHO_PAIRS")
    return Corpus.open(path, kind="pairs", key_id=PairDigests(found.pairs_key).key_id), found.pairs_key


def _look_up(files: _Files, account: str, password: str) -> _Found:
    # SHA-1, because leaks are published by it; it protects nothing here.
    digest = sha1(password.encode(), usedforsecurity=False).digest()
    prevalence = None if files.passwords is None else files.passwords.find(digest)
    pair = None
    if files.pairs is not None:
        pair = Pairs(files.pairs, PairDigests(files.key)).find(canonical(account), password)
    return _Found(files, prevalence, pair)


def _figures(found: _Found) -> dict[str, object]:
    return {
        "leaked": found.leaked,
        "seen_at_least": None if found.prevalence is None else _at_least(found.prevalence),
        "pair": None if found.pair is None else found.pair.name.lower(),
        "passwords_built": found.files.passwords and found.files.passwords.header.built,
        "pairs_built": found.files.pairs and found.files.pairs.header.built,
    }


def _told(found: _Found) -> Iterator[str]:
    if found.files.passwords is not None:
        seen = _at_least(found.prevalence or 0)
        times = "once" if seen == 1 else f"{seen:,} times"
        yield f"password: {f'seen at least {times}' if seen else _absent(found.files.passwords)}"
    if found.files.pairs is not None:
        yield f"pair: {_PAIRS.get(found.pair or Pair.ABSENT) or _absent(found.files.pairs)}"


def _at_least(prevalence: int) -> int:
    """The smallest count of a prevalence class, which is the number of binary digits of the count."""
    return 1 << prevalence >> 1


def _absent(corpus: Corpus) -> str:
    day = datetime.fromtimestamp(corpus.header.built, UTC)
    return f"not in this file of {day:%Y-%m-%d} (which is no proof that it never leaked)"
