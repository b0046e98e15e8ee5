"""Compiled code runs as uncompiled code does: `make test-compiled` runs the hot path's tests on it."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import os
import sys
import tomllib
from enum import Enum
from typing import ForwardRef

import pytest

import hatch_build
from sekisho import LoginGuard
from sekisho.model import Attempt
from tests.ledger.charges import charge
from tests.modules import sources

WANTED = os.environ.get("TEST_COMPILED") == "1"


def test_every_pattern_names_sources() -> None:
    """Every pattern names sources: a renamed module would stay uncompiled unnoticed."""
    for pattern in hatch_build.COMPILED:
        assert list((hatch_build.MIDDLEWARE / "sekisho").glob(pattern)), pattern


def test_what_is_meant_to_be_compiled_is() -> None:
    """Exactly the intended modules are compiled, and none without asking: a stray one would outlive source changes."""
    for path in hatch_build.modules():
        name = path.removesuffix(".py").replace("/", ".")
        importlib.import_module(name)
        assert (sys.modules[name].__file__ or "").endswith(".so") is WANTED, name


@pytest.mark.parametrize(
    ("version", "environ", "compiled"),
    [
        ("standard", {}, False),
        ("standard", {"COMPILE_SEKISHO": "never"}, False),
        ("standard", {"COMPILE_SEKISHO": "always"}, True),
        ("editable", {"COMPILE_SEKISHO": "always"}, False),
    ],
)
def test_an_installation_compiles_only_where_that_is_asked_for(
    version: str, environ: dict[str, str], compiled: bool
) -> None:
    """An installation compiles only on request, as it takes two silent minutes."""
    assert hatch_build.compiles(version, environ) is compiled


def test_what_is_compiled_is_read_by_the_version_that_checks_it() -> None:
    """The compiler is part of mypy: compiling and checking use one version."""
    groups = tomllib.loads((hatch_build.MIDDLEWARE.parent / "pyproject.toml").read_text("utf-8"))["dependency-groups"]

    assert set(hatch_build.COMPILERS) <= set(groups["check"])


def test_a_build_that_is_asked_for_something_else_says_so() -> None:
    """A misspelt build option is an error, or the installation would be slower than believed."""
    with pytest.raises(ValueError, match=r"^COMPILE_SEKISHO is neither always nor never$"):
        hatch_build.compiles("standard", {"COMPILE_SEKISHO": "1"})


def test_nothing_is_awaited_while_an_exception_is_on_its_way() -> None:
    """No coroutine awaits while an exception propagates: compiled, it may swallow a cancellation."""
    for path in hatch_build.modules():
        for node in ast.walk(ast.parse((hatch_build.MIDDLEWARE / path).read_text())):
            if isinstance(node, ast.Try):
                handling = [*node.handlers, *node.finalbody]
                assert not [part for each in handling for part in ast.walk(each) if isinstance(part, ast.Await)], path


def test_no_plain_class_inherits_from_a_compiled_one() -> None:
    """Classes outside the compiled modules inherit from none in them: Python refuses that at import, once compiled."""
    compiled = {path.removesuffix(".py").replace("/", ".") for path in hatch_build.modules()}
    for name in sources():
        if name.endswith("__main__"):
            continue
        for each in vars(importlib.import_module(name)).values():
            if isinstance(each, type) and each.__module__ == name and name not in compiled:
                assert not [base for base in each.__bases__ if base.__module__ in compiled and _is_native(base)], each


def _is_native(base: type) -> bool:
    """Whether mypyc makes a type of its own for a class."""
    return not (issubclass(base, tuple | Enum) or getattr(base, "_is_protocol", False))


def test_classes_that_compiled_named_tuples_hold_are_there() -> None:
    """A compiled named tuple looks its classes up at the import; one that only checkers import would fail it."""
    for path in hatch_build.modules():
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        known = {*vars(module), *vars(builtins), "Callable"}  # a callable is no class to the compiler, as a union
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, tuple) and each.__module__ == module.__name__:
                texts = [one.__forward_arg__ for one in each.__annotations__.values() if isinstance(one, ForwardRef)]
                assert {text.partition("[")[0] for text in texts if "|" not in text} <= known, each


def test_servers_can_tell_that_it_is_asgi_3() -> None:
    """Servers recognise ASGI 3 by a coroutine function, and would call others as ASGI 2."""
    assert inspect.iscoroutinefunction(LoginGuard.__call__)


def test_values_do_not_change() -> None:
    """Values are immutable: when compiled by themselves, else by the type checker."""
    if WANTED:
        with pytest.raises(AttributeError):
            charge().exempt = True  # type: ignore[misc]
    assert charge()._replace(exempt=True) != charge()
    assert charge() == charge()


def test_an_attempt_shows_nothing_of_itself() -> None:
    """An attempt's `repr` shows nothing, compiled or not: tracebacks print it."""
    assert "__repr__" in vars(Attempt)
