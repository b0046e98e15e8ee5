"""A request that waits for a proof, sealed for a page to carry, so that people type once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.challenge.challenges import BODY_BYTES_MAX, NAMES_BYTES_MAX

if TYPE_CHECKING:
    from sekisho.asgi.request_context import RequestContext
    from sekisho.model import Attempt
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.parts import Parts


def sealed_form(
    parts: Parts, context: RequestContext, browser_key: BrowserKey, now_s: int, *, anywhere: bool = False
) -> str:
    """The sealed request; empty where a page cannot carry it. Clients without pages repeat theirs.

    Args:
        parts: seal it.
        context: of the request.
        browser_key: the key that opens it.
        now_s: Unix time in seconds.
        anywhere: also for a path with placeholders, which is known to no page but one at that path.
    """
    content_type, body = context.by_name.get(b"content-type", b""), context.body_reader.body
    query: bytes = context.scope.get("query_string", b"")
    fits = len(body) <= BODY_BYTES_MAX and max(len(content_type), len(query)) <= NAMES_BYTES_MAX // 2
    if not (
        context.door.reads_body
        and (anywhere or "{" not in context.door.path)
        and fits
        and b"content-encoding" not in context.by_name
    ):
        return ""
    return parts.challenges.seal_form(
        door=context.door.name,
        content_type=content_type,
        body=body,
        query=query,
        browser_key=browser_key.key,
        now_s=now_s,
    )


def key_line(parts: Parts, context: RequestContext, browser_key: BrowserKey) -> tuple[bytes, bytes]:
    """The header that issues the browser's key."""
    from_site = context.by_name.get(b"sec-fetch-site")
    elsewhere = from_site == b"cross-site" and parts.responses.may_be_read(context.scope["headers"])
    return browser_key.line(elsewhere=elsewhere)


def contact_of(attempt: Attempt) -> str:
    """The address that a sign-up names, at doors with `contact=`."""
    return (attempt.address or attempt.account).strip()
