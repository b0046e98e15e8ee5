"""Log-outs: after the application's own, the proofs and step-ups of the browser end as well.

On a shared machine the next person has the browser, and must find nothing in it that opens the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.asgi.request_context import DEVICE_HEADER

if TYPE_CHECKING:
    from sekisho.answer import Renderer
    from sekisho.asgi.cookies import DeviceCookie
    from sekisho.asgi.ports import Consequences
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Message, Scope, Send
    from sekisho.model import Door
    from sekisho.model.headers import Headers


class LogOuts:
    """Passes log-outs on, whose success ends what this browser has begun and proved.

    Args:
        app: the application.
        renderer: knows the origins that the operator has named.
        cookie: carries the device token.
        consequences: None where the guard asks for nothing.
    """

    def __init__(self, app: App, renderer: Renderer, cookie: DeviceCookie, consequences: Consequences | None) -> None:
        self._app: Final = app
        self._renderer: Final = renderer
        self._cookie: Final = cookie
        self._consequences: Final = consequences

    async def pass_on(self, context: RequestContext, door: Door) -> None:
        """Call the application. `door`: of the operation, where several have the path of the context's door."""
        if self._consequences is not None:
            await self._consequences.leaving(context.scope)
        answer = LogOutAnswer(context.scope, context.send, self._consequences, self._forgotten(context, door))
        await self._app(context.as_sent, context.body_reader.replay, answer.send)

    def _forgotten(self, context: RequestContext, door: Door) -> Headers:
        # Only what the request shows: a form on another site shows no cookies, and must not make an owner a stranger.
        if not door.forgets_device or not context.presented.token:
            return []
        if context.presented.by_header:
            return [(DEVICE_HEADER, b"")]
        elsewhere = self._renderer.is_elsewhere(context.by_name, context.scope["headers"])
        return [(b"set-cookie", self._cookie.deleted(elsewhere=elsewhere))]


class LogOutAnswer:
    """Passes the application's answer on; one below 400 gets the headers that end what the client showed.

    Args:
        scope: the request, at a `LOGOUT` door.
        send: the client's.
        consequences: None where the guard asks for nothing.
        forgotten: headers that end more.
    """

    def __init__(self, scope: Scope, send: Send, consequences: Consequences | None, forgotten: Headers) -> None:
        self._scope: Final = scope
        self._send: Final = send
        self._consequences: Final = consequences
        self._forgotten: Final = forgotten

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < 400:
            ended = await self._consequences.logged_out(self._scope) if self._consequences is not None else []
            message = {**message, "headers": [*message.get("headers", ()), *ended, *self._forgotten]}
        await self._send(message)
