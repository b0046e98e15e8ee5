"""The package's modules and what each imports, read from their source. Nothing is imported for it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

PACKAGE = Path(__file__).parents[1] / "middleware/sekisho"


class Import(NamedTuple):
    """Attributes:
    module: as written.
    name: imported from the module; empty where the module itself is imported.
    at_run_time: False under `if TYPE_CHECKING`.
    """

    module: str
    name: str
    at_run_time: bool


def sources(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """The syntax trees of a package's modules, by dotted name."""
    return {_dotted(path, package): ast.parse(path.read_bytes()) for path in sorted(package.rglob("*.py"))}


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(node: ast.AST, *, at_run_time: bool = True) -> Iterator[Import]:
    """Every import below this node, those within functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, "", at_run_time) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports are not used here"
            yield from (Import(child.module or "", alias.name, at_run_time) for alias in child.names)
        elif isinstance(child, ast.If) and _is_for_types(child.test):
            for each in child.body:
                yield from imports(ast.Module([each], []), at_run_time=False)
            for each in child.orelse:
                yield from imports(ast.Module([each], []), at_run_time=at_run_time)
        else:
            yield from imports(child, at_run_time=at_run_time)


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def graph(trees: Mapping[str, ast.Module], *, types_too: bool) -> dict[str, set[str]]:
    """The modules that each module imports. An import runs the packages around a module too, so these count.

    Args:
        trees: see `sources`.
        types_too: whether imports under `if TYPE_CHECKING` count.
    """
    found: dict[str, set[str]] = {}
    for module, tree in trees.items():
        wanted = {_module(each, trees) for each in imports(tree) if each.at_run_time or types_too}
        around = {package for name in wanted for package in _packages(name)} - {*_packages(module)}
        found[module] = (wanted | around) & trees.keys() - {module}
    return found


def _module(found: Import, trees: Mapping[str, ast.Module]) -> str:
    below = f"{found.module}.{found.name}"
    return below if below in trees else found.module


def _packages(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def circles(edges: Mapping[str, AbstractSet[str]]) -> list[list[str]]:
    """Groups of modules that each reach all others of their group."""
    reached = {module: _reached(module, edges) for module in edges}
    groups = {
        tuple(sorted(other for other in beyond if module in reached[other]))
        for module, beyond in reached.items()
        if module in beyond
    }
    return [list(group) for group in sorted(groups)]


def _reached(start: str, edges: Mapping[str, AbstractSet[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(edges[start])
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead += edges[module]
    return found
