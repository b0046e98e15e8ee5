"""Privates of redis-py that `sekisho.store.protocol` uses, and the versions that they were tested with."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from redis import _parsers
from redis.asyncio.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PRIVATE = {"_parsers", "_AsyncHiredisParser", "_writer"}
TESTED = (8, 1)
WHAT_TO_CHECK = (
    "middleware/sekisho/store/protocol.py uses privates of redis-py and was tested with 8.1. Check there that "
    "`AbstractConnection._writer` is still the asyncio.StreamWriter of an open connection, whose protocol may be "
    "replaced, and that `redis._parsers._AsyncHiredisParser.parse_error` still makes the exception of an error reply. "
    "Run tests/store and tests/ledger, then change the range in pyproject.toml and TESTED here"
)


def test_the_installed_version_is_the_one_that_was_tested() -> None:
    assert tuple(map(int, version("redis").split(".")[:2])) == TESTED, WHAT_TO_CHECK


def test_only_tested_versions_can_be_installed() -> None:
    """A later minor version may rename a private, and then no connection opens: every attempt would go uncounted."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert [each for each in dependencies if each.startswith("redis")] == ["redis[hiredis]>=8.1,<8.2"]


def test_the_privates_exist() -> None:
    assert callable(_parsers._AsyncHiredisParser.parse_error), WHAT_TO_CHECK
    assert Connection()._writer is None, WHAT_TO_CHECK


def test_no_other_private_of_redis_py_is_used() -> None:
    """One more would have to be named above."""
    sources = [path.read_text("utf-8") for path in (ROOT / "middleware" / "sekisho").rglob("*.py")]
    assert {name for source in sources if "redis" in source for name in privates(ast.parse(source))} == PRIVATE


def privates(tree: ast.Module) -> Iterator[str]:
    """Names with an underscore that a module imports from redis-py, or reads from an object of redis-py's types."""
    of_redis = {each.asname or each.name for node in imports(tree) for each in node.names}
    for node in imports(tree):
        names = [*(node.module or "").split("."), *(each.name for each in node.names)]
        yield from (name for name in names if name.startswith("_"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            theirs = {arg.arg for arg in function.args.args if arg.annotation and of_redis & named(arg.annotation)}
            reads = [node for node in ast.walk(function) if isinstance(node, ast.Attribute)]
            yield from (node.attr for node in reads if node.attr.startswith("_") and named(node.value) & theirs)


def imports(tree: ast.Module) -> list[ast.ImportFrom]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [node for node in found if (node.module or "").partition(".")[0] == "redis"]


def named(node: ast.expr) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
