"""What the sources import is declared in pyproject.toml: a package that merely comes with another may stop coming."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
OURS = {"sekisho", "tests", "benchmarks", "examples", "hatch_build"}
NAMED_OTHERWISE = {
    "PIL": "pillow",
    "allauth": "django-allauth",
    "django_otp": "django-two-factor-auth",
    "fasthtml": "python-fasthtml",
    "argon2": "argon2-cffi",
    "graphql": "graphql-core",
    "hiredis": "redis",  # its extra
    "opentelemetry": "opentelemetry-sdk",
    "rest_framework_simplejwt": "djangorestframework-simplejwt",
    "sentinelapi": "fastapi-sentinel",
    "throttled": "throttled-py",
    "two_factor": "django-two-factor-auth",
}


def test_every_import_is_declared() -> None:
    for room in ("tests", "benchmarks", "examples"):
        assert undeclared(room, all_declared()) == {}


def test_every_import_of_the_package_is_declared_for_its_users() -> None:
    """In its dependencies or in an extra: users install no dependency groups."""
    project = project_file()["project"]
    used = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    assert undeclared("middleware/sekisho", names(used)) == {}


def test_the_extra_for_graphql_admits_what_the_servers_of_graphql_need() -> None:
    """Ariadne and graphene stand on graphql-core 3.2, and strawberry on 3.3: no installation has both."""
    (needed,) = map(Requirement, project_file()["project"]["optional-dependencies"]["graphql"])

    assert [each in needed.specifier for each in ("3.2.13", "3.2.14", "3.3.2", "3.4.0")] == [False, True, True, False]


def undeclared(room: str, declared: set[str]) -> dict[str, str]:
    """Modules of packages that are not declared, each with a file that imports it."""
    found = {module: str(path.relative_to(ROOT)) for path, module in imported(ROOT / room)}
    known = declared | {"typing-extensions"}  # every type checker brings it; no code imports it when it runs
    return {
        module: path
        for module, path in found.items()
        if NAMED_OTHERWISE.get(module, module).replace("_", "-").lower() not in known
    }


def imported(room: Path) -> Iterator[tuple[Path, str]]:
    """Each file, and the top-level packages of others that it imports."""
    for path in sorted(room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for module in modules(node):
                if module not in OURS | sys.stdlib_module_names:
                    yield path, module


def modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name.partition(".")[0] for each in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module.partition(".")[0]]
    return []


def all_declared() -> set[str]:
    file = project_file()
    project, groups = file["project"], file["dependency-groups"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *groups.values()]
    return {name for each in lists for name in names(each)}


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[\[<>=;! ]", each)[0].replace("_", "-").lower() for each in requirements}


def project_file() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
