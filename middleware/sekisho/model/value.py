"""What all values of the hot path have in common: they are made often, read often, compared rarely, changed never.

Plain classes rather than named tuples or dataclasses, for one reason: compiled by mypyc, making one takes a fifth of
the time, reading an attribute a tenth, and `Final` attributes cannot be set from outside either.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self


class Value:
    """Equal to another of its class that holds the same. A subclass names its attributes in `__slots__`."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _held(self) == _held(other)

    def __hash__(self) -> int:
        return hash(_held(self))

    def __repr__(self) -> str:
        # What a value holds of people is its own to hide.
        shown = zip(type(self).__slots__, _held(self), strict=True)
        return f"{type(self).__name__}({', '.join([f'{name}={held!r}' for name, held in shown])})"

    def _replace(self, **changes: Any) -> Self:
        """A copy in which these attributes are others, as a named tuple's."""
        held: dict[str, Any] = dict(zip(type(self).__slots__, _held(self), strict=True))
        return type(self)(**{**held, **changes})


def _held(value: object) -> tuple[object, ...]:
    return tuple([getattr(value, name) for name in type(value).__slots__])  # type: ignore[attr-defined] # a `Value` has it
