"""Headers of requests and answers, as ASGI has them: pairs of a name and a value, in their order."""

from __future__ import annotations

from typing import TypeAlias

Header: TypeAlias = tuple[bytes, bytes]
Headers: TypeAlias = list[Header]
