"""Delivers notices to the service's own sender: posted to a URL, signed as Standard Webhooks asks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: `webhook-id` is the same for
all tries, so that a receiver recognises a repeat; `webhook-signature` covers the id, the time of the try and the body.
A receiver that checks neither would tell owners whatever any client posts there.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from hmac import digest as hmac
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sekisho.https_post import JSON, HttpsPost, PostFault
from sekisho.outbox.notice import MOMENTS, Undelivered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sekisho.outbox.notice import Notice

    Delivery: TypeAlias = Callable[[Notice, int, str], Awaitable[None]]

_ANSWER_BYTES_MAX: Final = 16 << 10
TRY_S: Final = 15.0
"""For one try; less than a third of the time for which a row is a worker's own."""

_GONE: Final = 410
"""The receiver wants no more of them. All other answers are troubles, which the operator ends."""

_THIS_ONE: Final = frozenset({400, 413, 422})
"""The receiver refuses this notice, as of a kind that it does not know, and takes others."""


class WebhookDelivery:
    """Args:
    url: https; http is allowed only for loopback addresses.
    keys: shared with the receiver; each signs, so that a key can be replaced.
    clock_s: Unix time.

    Raises:
        ValueError: another URL. The text contains no part of it.
    """

    def __init__(self, url: str, keys: Sequence[bytes], *, clock_s: Callable[[], float]) -> None:
        self._wire = HttpsPost(url, content_type=JSON, answer_bytes_max=_ANSWER_BYTES_MAX)
        self._keys = tuple(keys)
        self._clock_s = clock_s

    async def __call__(self, notice: Notice, times: int, token: str) -> None:
        """Post it. Raises `Undelivered`."""
        now_s = int(self._clock_s())
        body = payload(notice, times, now_s)
        headers = signed(self._keys, f"msg_{token}", now_s, body)
        try:
            await self._wire.tell(body, headers, limit_s=TRY_S)
        except PostFault as fault:
            way_works = None if fault.status == _GONE else fault.status in _THIS_ONE
            raise Undelivered(fault.reason, passing=fault.status != _GONE, way_works=way_works) from None


class Deliveries:
    """Sends each notice its way: to the webhook if it has no address, else by mail.

    Args:
        by_mail: None where the site sends no mail.
        by_webhook: None where it has no webhook.
    """

    def __init__(self, by_mail: Delivery | None, by_webhook: Delivery | None) -> None:
        self._by_mail = by_mail
        self._by_webhook = by_webhook

    async def __call__(self, notice: Notice, times: int, token: str) -> None:
        """Send it. Raises `Undelivered`."""
        deliver = self._by_mail if notice.to else self._by_webhook
        if deliver is None:
            # Kept before the setting was changed, or by a worker that has it already: one of those sends it.
            raise Undelivered("no way to send it", passing=True)
        await deliver(notice, times, token)


def payload(notice: Notice, times: int, now_s: int) -> bytes:
    """Return the JSON body that tells the webhook of a notice; `times`: how many events it reports.

    It has `type`, `timestamp` and `data` as the specification names them; times in ISO 8601. A notice of something that
    is still to come has the time of the try (`now_s`, Unix time): receivers refuse a timestamp in the future.
    """
    facts: dict[str, Any] = {
        name: datetime.fromtimestamp(int(fact), UTC).isoformat() if name in MOMENTS else fact
        for name, fact in notice.facts.items()
    }
    happened = facts.get("when") or datetime.fromtimestamp(now_s, UTC).isoformat()
    data = {**facts, "locale": notice.locale, "times": times}
    return json.dumps({"type": f"notice.{notice.kind}", "timestamp": happened, "data": data}).encode()


def signed(keys: Sequence[bytes], message_id: str, now_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers that sign a webhook's body: its id, its time (`now_s`, Unix time), its signatures."""
    content = f"{message_id}.{now_s}.".encode() + body
    signatures = [f"v1,{b64encode(hmac(key, content, 'sha256')).decode()}" for key in keys]
    return {"webhook-id": message_id, "webhook-timestamp": str(now_s), "webhook-signature": " ".join(signatures)}
