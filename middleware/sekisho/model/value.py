"""The base class of values on the hot path: created and read often, compared rarely, never changed.

They are plain classes, not named tuples or dataclasses. Compiled by mypyc, creating one takes a fifth of the time and
reading an attribute a tenth, and `Final` attributes cannot be set from outside either.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self


class Value:
    """Equal to a value of the same class with equal attributes. A subclass lists its attributes in `__slots__`.

    Names with a leading underscore are no part of the value: they hold what follows from it.
    """

    __slots__: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _held(self) == _held(other)

    def __hash__(self) -> int:
        return hash(tuple(_held(self).values()))

    def __repr__(self) -> str:
        # Subclasses that hold personal data override this.
        shown = [f"{name}={held!r}" for name, held in _held(self).items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _replace(self, **changes: Any) -> Self:
        """Copy with these attributes replaced, as a named tuple does."""
        return type(self)(**{**_held(self), **changes})


def _held(value: Value) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__slots__ if not name.startswith("_")}
