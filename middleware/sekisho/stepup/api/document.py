"""Puts schemas and operations together, as OpenAPI 3.1."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from sekisho.settings.table import MOUNT
from sekisho.stepup.api.operations import OPERATIONS, STRANGER
from sekisho.stepup.api.schemas import ref, schemas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.stepup.api.operations import ApiOperation

Part = dict[str, Any]

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
PROBLEM: Final = "application/problem+json"
SCRIPT: Final = "text/javascript"

_ABOUT = """\
What programs send and get where sekisho guards log-ins: native apps, and front ends that do not use `sekisho.js`.

Send `Accept: application/json`: a client that prefers HTML gets pages with the same statuses. Native apps send
`Sekisho-Challenge: new` and keep the values of `Sekisho-Challenge`, `Sekisho-Device` and `Sekisho-Tie` that answers
have, instead of cookies; browsers keep `__Host-` cookies. A page of another origin may read answers if
`SEKISHO_ORIGINS` names it.

`/login` and `/pay` stand for paths of your own application. Members may be added to answers: skip what you do not know.
Operators' pages below the mount (`/metrics`, `/doctor`) are documented with their commands.

This document is written by `python -m sekisho.stepup.api`."""

_SHOWN: Final = {
    "Sekisho-Challenge": "The client's key, from an earlier answer; `new` at first. Browsers have a cookie instead.",
    "Sekisho-Work": "The solution of a puzzle: base64 of JSON, as ALTCHA's widget gives it. Beside a captcha the "
    'puzzle alone, `{"challenge": …}`, brings the charge of the first request back.',
    "Sekisho-Captcha": "The token of a captcha's widget.",
    "Sekisho-Proof": "The text `proof` of a proof that came first.",
    "Sekisho-Device": "The device token, from an earlier answer.",
    "Sekisho-Tie": "The session's binding, from an earlier answer.",
}
_SAID: Final = {
    "Sekisho-Challenge": "The client's key, where the request had this header. Show it in each step.",
    "Sekisho-Device": "The device token of an app. Keep it like a password, for good.",
    "Sekisho-Tie": "The session's binding of an app. Keep it as long as the session.",
    "Set-Cookie": "The same for browsers.",
    "WWW-Authenticate": '`Sekisho realm="login"`; at protected routes as in RFC 9470.',
    "Retry-After": "Seconds. Never too early, and slightly random.",
}
_REQUIRED: Final = frozenset({"WWW-Authenticate"})
_STATUSES: Final = {
    200: "Done",
    202: "Taken",
    401: "More is needed, or the proof is wrong",
    403: "Refused",
    409: "Not possible now",
    410: "Over: too late, used, or another client's",
    422: "What was chosen is not accepted",
    429: "Over a limit",
    503: "Not possible now",
}
_PLAIN: Final = frozenset({"NotPossible", "NotFound", "NoticeOver"})


def text() -> str:
    """The whole of `docs/openapi.json`."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> Part:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sekisho step-up",
            "version": version("sekisho"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [_server("{mount}", mount={"default": MOUNT.default, "description": "`SEKISHO_MOUNT`."})],
        "security": [],
        "paths": _paths(),
        "components": {
            "schemas": schemas(),
            "parameters": {name: _parameter(name) for name in STRANGER},
            "headers": {name: _header(name) for name in _SAID},
            "responses": _shared(),
        },
    }


def _server(path: str = "", **variables: Part) -> Part:
    return {"url": f"https://{{host}}{path}", "variables": {"host": {"default": "shop.example"}, **variables}}


def _paths() -> dict[str, Part]:
    paths: dict[str, Part] = {}
    for one in OPERATIONS:
        item = paths.setdefault(one.path, {"servers": [_server()]} if one.beside else {})
        item[one.method.lower()] = _operation(one)
    return paths


def _operation(one: ApiOperation) -> Part:
    found: Part = {"operationId": one.name, "summary": one.summary, "responses": _responses(one)}
    if one.description:
        found["description"] = one.description
    if one.shows:
        found["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in one.shows]
    if one.fields:
        found["requestBody"] = _body(one)
    return found


def _body(one: ApiOperation) -> Part:
    schema = {"type": "object", "properties": dict(one.fields), "required": list(one.needs)}
    return {"required": True, "content": {kind: {"schema": schema} for kind in (JSON, FORM)}}


def _responses(one: ApiOperation) -> Part:
    own = {str(status): _response(one, status, names) for status, names in one.answers.items()}
    if one.released:
        own["default"] = {"$ref": "#/components/responses/Application"}
    return {**own, **_common(one, own)}


def _common(one: ApiOperation, own: Part) -> Part:
    """What every operation that is judged may answer. A view has no body to be misread, and changes nothing."""
    if not (one.shows or one.fields):
        return {}
    shared = {"403": "Denied", "503": "Unavailable"}
    if one.method == "POST":
        shared |= dict.fromkeys(("400", "408", "413", "415"), "Unreadable")
    if one.fields and 410 not in one.answers:
        shared["410"] = "StartAgain"
    if "token" in one.fields and 401 in one.answers:
        shared["409"] = "NotPossible"
    return {status: {"$ref": f"#/components/responses/{name}"} for status, name in shared.items() if status not in own}


def _response(one: ApiOperation, status: int, names: Sequence[str]) -> Part:
    if names == ("",):
        return {"description": "The script", "content": {SCRIPT: {"schema": {"type": "string"}}}}
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in one.says.get(status, ())}
    found: Part = {"description": _STATUSES[status], "content": _content(status, names)}
    return {**found, "headers": headers} if headers else found


def _content(status: int, names: Sequence[str]) -> Part:
    kinds: dict[str, list[Part]] = {}
    for name in names:
        is_problem = (status >= 400 and name not in _PLAIN) or name == "ResetRequested"
        kinds.setdefault(PROBLEM if is_problem else JSON, []).append(ref(name))
    return {kind: {"schema": one[0] if len(one) == 1 else {"oneOf": one}} for kind, one in kinds.items()}


def _parameter(name: str) -> Part:
    return {"name": name, "in": "header", "description": _SHOWN[name], "schema": {"type": "string"}}


def _header(name: str) -> Part:
    found: Part = {"description": _SAID[name], "schema": {"type": "integer" if name == "Retry-After" else "string"}}
    return {**found, "required": True} if name in _REQUIRED else found


def _shared() -> dict[str, Part]:
    wait = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return {
        "Application": {
            "description": "Your application's own answer, and what makes the client known",
            "headers": _made(),
        },
        "Unreadable": {
            "description": "It can be read in two ways, or not at all",
            "content": _content(400, ["UnreadableAttempt"]),
        },
        "StartAgain": {"description": _STATUSES[410], "content": _content(410, ["StartAgain"])},
        "NotPossible": {"description": _STATUSES[409], "content": _content(409, ["NotPossible"])},
        "Denied": {"description": "The address is refused", "content": _content(403, ["Denied"])},
        "Unavailable": {
            "description": "Nothing can be known now, so nothing is granted",
            "headers": wait,
            "content": _content(503, ["Unavailable"]),
        },
    }


def _made() -> Part:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("Sekisho-Device", "Sekisho-Tie", "Set-Cookie")}
