"""An application's answer to one log-in, which can be tested against any rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from sekisho.html_forms import html_forms
from sekisho.model import Outcome
from sekisho.read import ANSWER_BYTES_MAX, from_body, from_start, json_tree, unpacked
from sekisho.read.response.doubt import is_promising, names_second_step, says_no
from sekisho.read.response.head import header, is_json, is_page, redirect_of_htmx
from sekisho.read.response.redirect import target_of
from sekisho.read.response.suggest import of_cookies, of_json, of_readable_cookies, preference
from sekisho.read.response.tree import outer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sekisho.model import Door
    from sekisho.model.headers import Headers


_MOVED: Final = frozenset({301, 307, 308})  # 302 and 303 may lead from a wrong password to the page


class TrialAnswer(NamedTuple):
    """Attributes:
    status, headers: 0 and [] where there is no answer.
    scope, sent: of the request, and its body; a repetition of their content in the answer proves nothing.
    body: as sent, up to the length that would be judged; empty where it is not known.
    """

    status: int
    headers: Headers
    scope: Mapping[str, Any]
    sent: bytes
    body: bytes = b""

    def __repr__(self) -> str:
        return f"TrialAnswer({self.status}, ...)"

    def outcome(self, door: Door) -> Outcome:
        """The outcome of the log-in that the guard would believe, given this answer at this door."""
        learned = from_start(door, self.status, self.headers, self.scope, self.sent)
        if learned is not None:
            return learned
        plain = unpacked(self.headers, self.body) if len(self.body) <= ANSWER_BYTES_MAX else None
        if plain is None:
            return Outcome.UNKNOWN
        return from_body(door, self.status, plain, self.headers, self.scope, self.sent)

    @property
    def is_sealed(self) -> bool:
        """Whether the answer's body has a `Content-Encoding` that cannot be unpacked here."""
        return bool(self.body) and unpacked(self.headers, self.body) is None

    def moved_from(self, path: str) -> str:
        """The path that a router redirects to, if it is `path` with or without its last slash; else empty."""
        place = urlsplit(header(self.headers, b"location").decode(errors="replace")).path
        is_slash = place != path and place.rstrip("/") == path.rstrip("/")
        return place if is_slash and self.status in _MOVED else ""

    @property
    def asks_for_more(self) -> bool:
        """Whether the answer leads to a second step of the application's own, so that it is no success yet."""
        target = target_of(header(self.headers, b"location").decode(errors="replace"), self.scope["path"])
        if 300 <= self.status < 400 and target is not None:
            return names_second_step(target.path)
        if self.shows_page:
            return self._has_form_for_code
        tree = json_tree(unpacked(self.headers, self.body) or b"") if is_json(self.headers) else None
        entries = [(path[-1], value) for path, value in outer(tree)] if tree is not None else []
        # An answer with a token may say that a second step exists, and asks for none.
        return any(names_second_step(key) and not says_no(value) for key, value in entries) and not any(
            is_promising(key, value) for key, value in entries
        )

    @property
    def shows_page(self) -> bool:
        return 200 <= self.status < 300 and is_page(self.headers)

    @property
    def _has_form_for_code(self) -> bool:
        """Whether the page has a form for a code and without a password, as wizards show at the path of the log-in."""
        page = (unpacked(self.headers, self.body) or b"").decode(errors="replace")
        forms = [form.fields for form in html_forms(page) if form.method == "POST"]
        shown = [fields for fields in forms if all(field.kind != "password" for field in fields)]
        return any(field.kind != "hidden" and names_second_step(field.name) for fields in shown for field in fields)

    def rules(self, door: Door) -> list[str]:
        """The rules that may match this answer, in the notation of the settings; the most conclusive first.

        The last are sessions that scripts can read, as those of some single-page applications.
        """
        return sorted(self._rules(door), key=preference) + (
            of_readable_cookies(self.headers) if door.reads_body else []
        )

    def _rules(self, door: Door) -> Iterator[str]:
        if not door.reads_body:
            yield "!401,403"
            return
        yield from of_cookies(self.headers)
        if is_json(self.headers) and (tree := json_tree(unpacked(self.headers, self.body) or b"")):
            yield from of_json(tree)
        if self.status == 204:
            yield "204"
        elif 200 <= self.status < 300:
            yield "2xx"
        place = header(self.headers, b"location")
        status = self.status
        if 200 <= status < 300 and (place := redirect_of_htmx(self.headers)):
            status = 303  # which `from_start` takes it for
        target = target_of(place.decode(errors="replace"), self.scope["path"])
        if 300 <= status < 304 and target is not None:
            yield f"{status}:{target.path}"
