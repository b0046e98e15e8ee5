"""Gives a client what a proof at a log-in entitles to: a proved device, and a session bound to its account."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sekisho.asgi.request_context import DEVICE_HEADER, presented
from sekisho.devices.token import browser_family, browser_name
from sekisho.stepup.log_ins import PROVED
from sekisho.stepup.session_binding import SessionBinding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.asgi.cookies import DeviceCookie
    from sekisho.known_devices import KnownDevices
    from sekisho.model.headers import Headers
    from sekisho.read import SessionCredentials
    from sekisho.stepup.factors import AccountOwner, Proof
    from sekisho.stepup.flow.parts import Proving


class ProvedClient(NamedTuple):
    """Attributes:
    owner: whose proof the client has shown, for the account that the application logs in.
    by_name: headers of its request by name.
    address: its own.
    by_header: whether it is an app, which keeps no cookies.
    elsewhere: whether it is a page of a named origin on another site.
    """

    owner: AccountOwner
    by_name: Mapping[bytes, bytes]
    address: str
    by_header: bool
    elsewhere: bool

    def __repr__(self) -> str:
        return "ProvedClient(...)"


class Grants:
    """Belongs to one event loop. `clock_s`: Unix time in seconds, by the store's clock."""

    def __init__(
        self, devices: KnownDevices, proving: Proving, cookie: DeviceCookie, *, clock_s: Callable[[], float]
    ) -> None:
        self._devices = devices
        self._clock_s = clock_s
        self._proving = proving
        self._cookie = cookie

    def device(self, client: ProvedClient) -> Headers:
        """Return the header that gives the client the token of a device with a proof.

        The log-in is kept for the owner to see, and the owner is told of a new device.
        """
        shown = presented(client.by_name, self._cookie.name + b"=")
        agent, account = client.by_name.get(b"user-agent", b""), client.owner.account
        token, is_new, device = self._devices.proved_token(shown.token, account, browser_family(agent))
        browser = browser_name(agent)
        if self._proving.log_ins is not None:
            self._proving.log_ins.note(account, PROVED, browser=browser, address=client.address, device=device)
        if is_new:
            self._proving.senders.new_device(client.owner, browser=browser, network=client.address, device=device)
        if shown.by_header or client.by_header:
            return [(DEVICE_HEADER, token.encode())]
        return [(b"set-cookie", self._cookie.line(token, elsewhere=client.elsewhere))]

    def binding(self, client: ProvedClient, proof: Proof, credentials: SessionCredentials) -> Headers:
        """The headers that bind the session to its account, and to the proof."""
        now_s = int(self._clock_s())
        binding = SessionBinding(client.owner.account, client.owner.account_id)
        # A factor that was just enrolled, perhaps by a thief, logs in but opens no protected route.
        if proof.settled:
            binding = binding._replace(proved_s=now_s, proved_by=proof.factor_class)
        return self._proving.bindings.headers(binding, credentials, now_s, by_header=client.by_header)
