"""The API of a front end on another origin: only origins that the operator names may read it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sekisho.stepup.escrow import CALLS_MAX
from tests.stepup.flow.driving import FORM, JSON, STEP, Client, Site, challenge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.asgi.driving import Answer

ORIGIN = b"https://app.example"
ELSEWHERE = b"https://evil.example"
ANY = b"access-control-"


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(settings={"origins": ORIGIN.decode()})
    await made.enrol("1")
    return made


async def every_step(site: Site, origin: bytes) -> dict[str, Answer]:
    """All requests that a front end makes on its way, by name."""
    client = site.client(headers=[(b"origin", origin)])
    asked = await client.log_in()
    ticket = challenge(asked)

    async def post(path: str, **fields: Any) -> Answer:
        return await client.send(path, json.dumps({"challenge": ticket, **fields}).encode(), headers=[JSON])

    return {
        "asked": asked,
        "options": await post(f"{STEP}/options"),
        "sent": await post(f"{STEP}/send", factor="email"),
        "wrong": await post(STEP, factor="totp", code="000000"),
        "unreadable": await client.send(STEP, b"[", headers=[JSON]),
        "unknown": await client.send("/sekisho/nothing", b"{}", headers=[JSON]),
        "owner's page": await client.send("/sekisho/factors", method="GET", headers=()),
        "void": await post(STEP, challenge="junk"),
    }


async def test_a_named_origin_reads_each_answer_of_the_api(site: Site) -> None:
    """A named origin reads each answer with credentials and app headers, and caches must not serve it to another
    origin.
    """
    for name, found in (await every_step(site, ORIGIN)).items():
        assert found.header(b"access-control-allow-origin") == ORIGIN, name
        assert found.header(b"access-control-allow-credentials") == b"true", name
        assert b"sekisho-challenge" in (found.header(b"access-control-expose-headers") or b""), name
        assert b"no-store" in (found.header(b"cache-control") or b""), name


async def test_no_other_origin_reads_any(site: Site) -> None:
    """An unnamed origin may send requests, but cannot read the answers."""
    for name, found in (await every_step(site, ELSEWHERE)).items():
        assert not [key for key, _ in found.headers if key.startswith(ANY)], name


@pytest.mark.parametrize("path", [STEP, f"{STEP}/options", f"{STEP}/send", "/sekisho/continue", "/sekisho/factors"])
async def test_a_preflight_is_answered_for_a_named_origin_alone(site: Site, path: str) -> None:
    """A preflight, which browsers send before JSON or our headers, is answered for a named origin alone."""
    asks = [(b"access-control-request-method", b"POST"), (b"access-control-request-headers", b"sekisho-challenge")]
    for origin, allowed in ((ORIGIN, True), (ELSEWHERE, False)):
        client = site.client(headers=[(b"origin", origin)])
        found = await client.send(path, method="OPTIONS", headers=asks)
        assert (found.header(b"access-control-allow-origin") == ORIGIN) is allowed
        assert (b"sekisho-challenge" in (found.header(b"access-control-allow-headers") or b"")) is allowed


async def test_the_module_is_for_everybody_and_depends_on_nothing(site: Site) -> None:
    """The module is one file that imports and evaluates nothing and fetches only from where it is told."""
    found = await site.client().send("/sekisho/sekisho.js", method="GET", headers=())
    text = found.body.decode()
    assert (found.status, found.header(b"content-type")) == (200, b"text/javascript; charset=utf-8")
    assert found.header(b"access-control-allow-origin") == b"*"
    assert "export " in text
    for word in ("import ", "import(", "require(", "eval(", "Function(", "://", "innerHTML", "document.write"):
        assert word not in text, word


async def test_a_page_loads_its_style_and_script_once(site: Site) -> None:
    """The files that pages name are kept by browsers for good, as another content has another name."""
    client = site.client(headers=[(b"accept", b"text/html")])
    page = (await client.log_in()).body.decode()
    for kind, media_type in (("css", b"text/css; charset=utf-8"), ("js", b"text/javascript; charset=utf-8")):
        [path] = set(re.findall(rf"/sekisho/page-[0-9a-f]{{16}}\.{kind}", page))
        found = await client.send(path, method="GET", headers=())
        assert (found.status, found.header(b"content-type")) == (200, media_type)
        assert found.header(b"cache-control") == b"public, max-age=31536000, immutable"
        assert found.header(b"cross-origin-resource-policy") == b"same-origin"
        assert found.header(b"x-content-type-options") == b"nosniff"
        other = await client.send(path.replace(path[-8:-5], "zzz"), method="GET", headers=())
        assert other.status == 404


async def test_a_logo_is_a_picture_and_nothing_else(tmp_path: Path) -> None:
    """A logo from a file is served below the mount, and runs nothing when a browser opens it as a document."""
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>')
    client = Site(settings={"brand_logo": tmp_path / "logo.svg"}).client(headers=[(b"accept", b"text/html")])
    [path] = re.findall(r'<img src="(/sekisho/logo-[0-9a-f]{16}\.svg)"', (await client.log_in()).body.decode())
    found = await client.send(path, method="GET", headers=())
    assert (found.status, found.header(b"content-type")) == (200, b"image/svg+xml; charset=utf-8")
    policy = found.header(b"content-security-policy") or b""
    assert policy == b"default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert found.header(b"x-content-type-options") == b"nosniff"
    assert b"circle" in found.body


async def test_another_versions_file_is_answered_but_not_kept(site: Site) -> None:
    """While workers are replaced, a page of one asks another for its files: it must keep none of them."""
    client = site.client()
    for kind in ("css", "js"):
        found = await client.send(f"/sekisho/page-0123456789abcdef.{kind}", method="GET", headers=())
        assert (found.status, found.header(b"cache-control")) == (200, b"no-store")
    for path in ("page-0123456789abcdef.html", "page-.css", "page-0123456789abcdef0.css", "page.css"):
        assert (await client.send(f"/sekisho/{path}", method="GET", headers=())).status == 404


async def test_a_ticket_is_void_after_forty_calls(site: Site) -> None:
    """A ticket is void after forty calls: each reads the owners' database, and asking for passkey options counts as no
    try.
    """
    client = site.client()
    ticket = challenge(await client.log_in())
    body = json.dumps({"challenge": ticket}).encode()
    calls = [await client.send(f"{STEP}/options", body, headers=[JSON]) for _ in range(CALLS_MAX + 1)]
    assert [one.status for one in calls] == [200] * CALLS_MAX + [410]
    assert (await client.show(ticket, site.code())).code == "start_again"


async def test_a_form_and_json_are_the_same_steps(site: Site) -> None:
    """A form from a page and JSON from a program lead to the same result."""
    released: list[int] = []
    for kind in (FORM, JSON):
        client: Client = site.client()
        fields = {"challenge": challenge(await client.log_in()), "factor": "totp", "code": site.code(len(released))}
        body = json.dumps(fields) if kind is JSON else urlencode(fields)
        released.append((await client.send(STEP, body.encode(), headers=[kind])).status)
    assert released == [303, 303]
