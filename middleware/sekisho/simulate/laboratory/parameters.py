"""Parameters of scenarios: `[value, source]`, of a type, within bounds."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class ScenarioError(SekishoError):
    """A scenario cannot be used; the text names the parameter."""


class Within(NamedTuple):
    """The bounds of a parameter, both included. No number is beside them: not a number, infinite."""

    least: float
    most: float


class OneOf(NamedTuple):
    """The values of a parameter."""

    values: tuple[str, ...]


Share = Annotated[float, Within(0, 1)]
Number = Annotated[int, Within(0, 50_000_000)]
Size = Annotated[int, Within(1, 50_000_000)]
Hours = Annotated[float, Within(0, 9_600)]


LATER: Final = {"later": True}
"""The metadata of a field that was added after runs were kept: `said` leaves it out where it has its default."""


def said(value: Any) -> str:
    """Return a dataclass as text, from which random draws and the names of kept runs are derived.

    Fields that were added later are left out while they have their default, so that earlier runs keep their names.
    """
    shown = (
        f"{field.name}={getattr(value, field.name)!r}"
        for field in fields(value)
        if "later" not in field.metadata or getattr(value, field.name) != field.default
    )
    return f"{type(value).__name__}({', '.join(shown)})"


def parameters(kind: type[T], table: object, place: str, sources: dict[str, str]) -> T:
    """Return a dataclass made from a table of TOML. Raises `ScenarioError` for a wrong or unknown parameter.

    Args:
        kind: its fields are annotated by `Within` or `OneOf`.
        table: of TOML.
        place: what errors and sources name before a parameter.
        sources: gets the value and the source of each.
    """
    if not isinstance(table, dict):
        raise ScenarioError(f"{place}: is no table of parameters")
    values = {name: _value(kind, name, given, place, sources) for name, given in table.items()}
    return kind(**values)


def _value(kind: type, name: str, given: object, place: str, sources: dict[str, str]) -> Any:
    if name not in {field.name for field in fields(kind)}:
        raise ScenarioError(f"{place}: unknown: {name}")
    return parameter(get_type_hints(kind, include_extras=True)[name], given, f"{place}.{name}", sources)


def parameter(wanted: Any, given: object, place: str, sources: dict[str, str]) -> Any:
    """Return the value of one parameter of the type `wanted`; `given`: the value and its source.

    Raises `ScenarioError`, which names `place`, for another type, a value out of bounds, or no source.
    """
    value, source = _sourced(given, place)
    sources[place] = f"{value}; {source}"
    kind, bounds = get_args(wanted) if get_origin(wanted) is Annotated else (wanted, None)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ScenarioError(f"{place}: is not of the type {kind.__name__}")
    if isinstance(bounds, Within) and not bounds.least <= value <= bounds.most:
        raise ScenarioError(f"{place}: is not between {bounds.least:,} and {bounds.most:,}")
    if isinstance(bounds, OneOf) and value not in bounds.values:
        raise ScenarioError(f"{place}: is none of {', '.join(bounds.values)}")
    return value


def _sourced(given: object, place: str) -> tuple[Any, str]:
    match given:
        case None:
            raise ScenarioError(f"{place}: is missing")
        case [value, str(source)] if source:
            return value, source
    raise ScenarioError(f'{place}: a parameter is [value, "its source, or assumed"]')


def texts(found: Mapping[str, object], name: str, otherwise: str, place: str) -> str:
    """Return the text under `name` in a table of TOML; `otherwise` if the table has no such entry.

    Raises `ScenarioError`, which names `place`, for a value that is no text.
    """
    text = found.get(name, otherwise)
    if not isinstance(text, str):
        raise ScenarioError(f"{place}: {name} is no text")
    return text
