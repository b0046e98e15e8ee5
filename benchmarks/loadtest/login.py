"""The log-in of the service that is tested: how it is written to, and how its answers are understood."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from sekisho.model import DoorKind, Encoding, Outcome, SettingsError
from sekisho.read import from_body, from_start
from sekisho.settings import parse_doors

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Path

    Headers = list[tuple[bytes, bytes]]

USUAL: Final = "POST /login form:username,password"
LET_IN: Final = "let in"
UNANSWERED: Final = "unanswered"
UNCLEAR: Final = "unclear"
STEP_UP: Final = "step_up_required"
FORM: Final = "application/x-www-form-urlencoded"

_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


class Post(NamedTuple):
    """One request as it is sent."""

    method: str
    path: str
    content_type: str
    body: str

    def __repr__(self) -> str:
        return f"Post({self.path!r}, ...)"


class Login:
    """One door in the notation of `SEKISHO_LOGIN`, seen from the street.

    Args:
        text: e.g. `POST /api/token json:user.email,password success=json:access_token`. Of several encodings the first
            that can be written here is used, of several names of a field the first.

    Raises:
        SettingsError: it is not one such door, or none of its encodings is `form`, `json` or `oauth2`.
    """

    def __init__(self, text: str) -> None:
        doors = parse_doors(DoorKind.LOGIN, text, "--login")
        if len(doors) > 1:
            raise SettingsError("--login", "is to be one door")
        (self._door,) = doors
        fields = next((fields for fields in self._door.fields if fields.encoding in _WRITERS), None)
        if fields is None:
            raise SettingsError("--login", "has none of the encodings form, json and oauth2")
        self._write = _WRITERS[fields.encoding]
        self._account, self._secret = fields.account[0], fields.secret[0]

    def post(self, account: str, password: str) -> Post:
        content_type, body = self._write({self._account: account, self._secret: password})
        return Post(self._door.method, self._door.path, content_type, body)

    def proof(self, asked: bytes, code: Callable[[], str]) -> Post | None:
        """The answer to a question for a second proof, `asked`, with the code of an authenticator app.

        None where something else is asked for, or a code would do nothing.
        """
        question = _object(asked)
        if question.get("code") != STEP_UP or "totp" not in question.get("factors", ()):
            return None
        fields = {"challenge": question["challenge"], "factor": "totp", "code": code()}
        return Post("POST", question["step_up"], FORM, urlencode(fields))

    def told(self, status: int, headers: Headers, body: bytes) -> str:
        """The result of an attempt in one of few phrases.

        `let in`; a status with the `code` of a refusal if there is one; a bare status if the service itself said no; a
        status and `unclear` if its answer might mean either. Status 0 is no answer.
        """
        if not status:
            return UNANSWERED
        if code := _code(headers, body):
            return f"{status} {code}"
        # The request itself is not examined: the load test's own requests name no place and bring no session.
        asked = {"path": self._door.path, "headers": [], "query_string": b""}
        outcome = from_start(self._door, status, headers, asked)
        if outcome is None:
            outcome = from_body(self._door, status, body, headers, asked)
        if outcome is Outcome.SUCCEEDED:
            return LET_IN
        return f"{status} {UNCLEAR}" if outcome is Outcome.UNKNOWN else str(status)


def elsewhere(status: int, headers: Headers, body: bytes) -> str:
    """As `Login.told`, at a place that is no log-in: a status, with the `code` of a refusal if there is one."""
    if not status:
        return UNANSWERED
    return f"{status} {_code(headers, body)}".rstrip()


def _code(headers: Headers, body: bytes) -> str:
    """The `code` of a problem document (RFC 9457). One of another shape could be another in every answer."""
    media = next((value for name, value in headers if name == b"content-type"), b"")
    if not media.startswith(b"application/problem+json"):
        return ""
    code = _object(body).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(body)
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) else {}


def _form(values: dict[Path, str]) -> tuple[str, str]:
    return FORM, urlencode({path[0]: value for path, value in values.items()})


def _grant(values: dict[Path, str]) -> tuple[str, str]:
    return _form({("grant_type",): "password", **values})


def _json(values: dict[Path, str]) -> tuple[str, str]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        here = tree
        for step in path[:-1]:
            here = here.setdefault(step, {})
        here[path[-1]] = value
    return "application/json", json.dumps(tree)


_WRITERS: dict[Encoding, Callable[[dict[Path, str]], tuple[str, str]]] = {
    Encoding.FORM: _form,
    Encoding.JSON: _json,
    Encoding.PASSWORD_GRANT: _grant,
}
