"""Lines of one sort differ in few places: the rest is encoded once, and kept as a template.

A template is made by the dialect itself, from an event in which each field that varies holds a mark. Dialects need not
know of it, and a line from a template is the line that the dialect would have made.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring_ascii
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from sekisho.audit.disclosure import Told
from sekisho.record import Subject
from sekisho.record.lines import time_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.audit.forms import LineDialect
    from sekisho.record import Event

TEMPLATES_MAX: Final = 64
"""For each sort of event: by which fields are empty, and those follow from its kind and the settings."""

# Marks of fields: characters for private use, which JSON escapes. Of the time: a moment in the year 2255.
_MARKED_US: Final = 8_999_999_999_123_456
_MARKS: Final = (time_text(_MARKED_US)[:-1], str(_MARKED_US // 1000), *[f"\\ue00{digit:x}" for digit in range(12)])
_NUMBERS: Final = {mark: number for number, mark in enumerate(_MARKS)}
_MARK: Final = re.compile("|".join(map(re.escape, _MARKS)))


class _Template(NamedTuple):
    """Attributes:
    text: the line up to where its link belongs, with `%s` in the places of fields.
    fields: picks those fields from all.
    tail: the braces after the link.
    """

    text: str
    fields: Callable[[tuple[str, ...]], Any]
    tail: str


@final
class Templates:
    """The templates of one sort of event."""

    def __init__(self, form: LineDialect) -> None:
        self._form: Final = form
        self._made: dict[tuple[bool, ...], _Template] = {}

    def line(self, event: Event, told: Told) -> tuple[str, str]:
        """Return the line that `LineDialect.line` makes of an event which stands for itself alone, from a template."""
        subject = event.subject
        network, account, address, device = subject.network, subject.account, subject.address, subject.device
        software, device_class = subject.software, subject.device_class
        country, secret, counted = subject.country, subject.secret, subject.counted
        name, sealed, ip = told.name, told.sealed, told.ip
        shape = (
            network == "", account == "", address == "", device == "", software == "", device_class == "",
            country == "", secret == "", counted == "", name == "", sealed == "", ip == "",
        )  # fmt: skip
        template = self._made.get(shape) or self._template(event, told, shape)
        # Digests, networks and words: nothing in them is to be escaped.
        values = (
            time_text(event.at_us)[:-1], str(event.at_us // 1000),
            network, account, address, device, software, device_class, country, secret, counted,
            _escaped(name) if name else "", sealed, _escaped(ip) if ip else "",
        )  # fmt: skip
        return template.text % template.fields(values), template.tail

    def _template(self, event: Event, told: Told, shape: tuple[bool, ...]) -> _Template:
        marks = ["" if is_empty else chr(0xE000 + number) for number, is_empty in enumerate(shape)]
        network, account, address, device, software, device_class, country, secret, counted, name, sealed, ip = marks
        subject = Subject(
            network, account, address, device, device_class, country, software=software, counted=counted, secret=secret
        )
        marked = event._replace(at_us=_MARKED_US, subject=subject)
        head, tail = self._form.line(marked, Told(told.subject, name, sealed, ip), 0)
        found = _MARK.findall(head)
        template = _Template(
            _MARK.sub("%s", head.replace("%", "%%")), itemgetter(*[_NUMBERS[mark] for mark in found]), tail
        )
        if len(self._made) < TEMPLATES_MAX:
            self._made[shape] = template
        return template


def _escaped(text: str) -> str:
    return encode_basestring_ascii(text)[1:-1]
