"""The notation of caps: `POST /payout json:amount 100000/1day 300000/30day over=step_up`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sekisho.model import Cap, CappedRoute, Encoding, Fields, OverCap, SettingsError
from sekisho.settings.doors import METHOD
from sekisho.settings.protect import ROUTES_MAX
from sekisho.settings.rates import PERIOD_SECONDS_MAX, SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.model import ProtectedRoute

CAPS_MAX = 4  # of one route: each is one more sum over the account's record
SUM_MAX = 10**15  # twice that is exact in a Lua number, with room to spare

_CAP = re.compile(r"([0-9]{1,16})/([0-9]{0,6})(second|minute|hour|day)")
_FIELD = re.compile(r"(form|multipart|json):([A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,3})")
_OVER = re.compile(r"over=(refuse|step_up)")
_SAFE = frozenset({"*", "GET", "HEAD", "OPTIONS", "TRACE"})
_EXAMPLE = "POST /payout json:amount 100000/1day 300000/30day"


def parse_caps(text: str, setting: str) -> tuple[CappedRoute, ...]:
    """Read capped routes separated by `;`, each `METHOD PATH ENCODING:FIELD… SUM/PERIOD… [over=refuse|step_up]`.

    Raises `SettingsError` for `setting`, with the number of the route (from 1) and never its text.
    """
    texts = text.split(";")
    if len(texts) > ROUTES_MAX:
        raise SettingsError(setting, f"lists more than {ROUTES_MAX} routes")
    routes = tuple(_Reader(setting, number).route(one.split()) for number, one in enumerate(texts, 1))
    if len({route.name for route in routes}) < len(routes):
        raise SettingsError(setting, "has the same method and path twice; write all caps of a route together")
    return routes


class _Reader:
    """Read one route; errors name its setting and number."""

    def __init__(self, setting: str, number: int) -> None:
        self._setting = setting
        self._number = number

    def route(self, words: Sequence[str]) -> CappedRoute:
        method, path, *rest = words if len(words) > 1 else ("", "")
        # A request without a body names no amount, and any method may stand for one that moves money.
        if not METHOD.fullmatch(method.upper()) or method.upper() in _SAFE:
            raise self._wrong(f"wants the method of a request with a body first, as in {_EXAMPLE}")
        fields = tuple(_fields(*found.groups()) for word in rest if (found := _FIELD.fullmatch(word)))
        caps = tuple(self._cap(*found.groups()) for word in rest if (found := _CAP.fullmatch(word)))
        over = [found[1] for word in rest if (found := _OVER.fullmatch(word))]
        if len(fields) + len(caps) + len(over) < len(rest):
            raise self._wrong(f"has a word that is no field, no cap and no over=; write it as in {_EXAMPLE}")
        if not fields:
            raise self._wrong(f"names no field that holds the amount, as in {_EXAMPLE}")
        if not 1 <= len(caps) <= CAPS_MAX or len(over) > 1:
            raise self._wrong(f"wants one to {CAPS_MAX} caps, and over= at most once")
        if len({cap.period_us for cap in caps}) < len(caps):
            raise self._wrong("has two caps for the same period; keep the lower one")
        return CappedRoute(method.upper(), path, fields, caps, OverCap(over[0]) if over else OverCap.REFUSE)

    def _cap(self, most: str, times: str, unit: str) -> Cap:
        seconds = int(times or 1) * SECONDS[unit]
        if not 1 <= int(most) <= SUM_MAX or not 1 <= seconds <= PERIOD_SECONDS_MAX:
            raise self._wrong("has a cap of nothing or of more than 10^15, or with a period above 31 days")
        return Cap(int(most), seconds * 1_000_000)

    def _wrong(self, problem: str) -> SettingsError:
        return SettingsError(self._setting, f"route {self._number} {problem}")


def _fields(encoding: str, name: str) -> Fields:
    path = tuple(name.split(".")) if encoding == Encoding.JSON.value else (name,)
    return Fields(Encoding(encoding), (path,), numbers=True)


def unprotected(caps: Iterable[CappedRoute], protect: Iterable[ProtectedRoute]) -> int:
    """The number (from 1) of the first capped route that is no protected route; 0 if there is none.

    Without a protected route no account is known, so nothing could be summed.
    """
    names = {route.name for route in protect}
    return next((number for number, route in enumerate(caps, 1) if route.name not in names), 0)
