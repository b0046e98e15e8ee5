"""The base class of values on the hot path: created and read often, compared rarely, never changed.

They are plain classes, not named tuples or dataclasses. Compiled by mypyc, creating one takes a fifth of the time and
reading an attribute a tenth, and `Final` attributes cannot be set from outside either.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self


class Value:
    """Equal to a value of the same class with equal attributes. A subclass lists its attributes in `__slots__`."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _held(self) == _held(other)

    def __hash__(self) -> int:
        return hash(_held(self))

    def __repr__(self) -> str:
        # Subclasses that hold personal data override this.
        shown = zip(type(self).__slots__, _held(self), strict=True)
        return f"{type(self).__name__}({', '.join([f'{name}={held!r}' for name, held in shown])})"

    def _replace(self, **changes: Any) -> Self:
        """Copy with these attributes replaced, as a named tuple does."""
        held: dict[str, Any] = dict(zip(type(self).__slots__, _held(self), strict=True))
        return type(self)(**{**held, **changes})


def _held(value: object) -> tuple[object, ...]:
    return tuple([getattr(value, name) for name in type(value).__slots__])  # type: ignore[attr-defined] # a `Value` has it
