"""A site that mails its owners through a real mail server, and the mails as the owners read them."""

from __future__ import annotations

import email
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import policy
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.mail import Service, messages
from tests.mail.servers import RealServer, real_server
from tests.stepup.flow.driving import Shop, Site, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVICE = Service("Shop", "shop.example/account")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Read(NamedTuple):
    """A received mail."""

    to: tuple[str, ...]
    subject: str
    text: str

    @property
    def code(self) -> str:
        found = re.search(r"\b\d{4}[ -]?\d{4}\b", self.text)
        assert found
        return found[0]


class Post(NamedTuple):
    """A site, and the mailbox where its mails arrive."""

    site: Site
    server: RealServer

    async def letters(self, count: int) -> list[Read]:
        return [_read(one.to, one.content) for one in await self.server.messages(count)]


def _read(to: tuple[str, ...], content: bytes) -> Read:
    message = email.message_from_bytes(content, policy=policy.default)
    body = message.get_body(("plain",))
    assert body
    return Read(to, str(message["subject"]), body.get_content())


def subject(kind: str, locale: str = "en") -> str:
    """The subject of a kind of mail."""
    if kind == "code":
        return messages.code(SERVICE, locale, code="1234-5678", minutes=9).subject
    if kind == "factor_changed":
        return messages.factor_changed(SERVICE, locale, when=_LONG_AGO, factor="totp", change="added").subject
    found: str = getattr(messages, kind)(SERVICE, locale, when=_LONG_AGO, browser="x", network="x").subject
    return found


@asynccontextmanager
async def writing(**settings: Any) -> AsyncIterator[Post]:
    """A site with TOTP and codes by mail. `hana` and `Alice` have enrolled an app, `kenji` nothing."""
    async with real_server() as server:
        mail = {
            "smtp": f"smtp://127.0.0.1:{server.port}",
            "mail_from": "no-reply@shop.example",
            "account_page": SERVICE.page,
            "service_name": SERVICE.name,
        }
        site = Site(settings.pop("shop", None) or Shop(), settings={"factors": "totp,email", **mail, **settings})
        await site.enrol("1")
        await site.enrol("2")
        try:
            yield Post(site, server)
        finally:
            await stop(site.guard)
