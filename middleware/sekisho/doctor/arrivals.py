"""Judges how requests arrive at the running service: who names the client, and who is believed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.doctor.report import DoctorReport, Unseen
from sekisho.model import hazards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.read.arrival import Arrival


def report_of_arrivals(
    plain: Arrival, forged: Arrival, header: str, *, nearby: bool, on_this_machine: bool, has_proxies: bool
) -> DoctorReport:
    """Judge how two requests arrived at the running service, and return a report.

    Args:
        plain: the request without a forwarding header.
        forged: the same request with an address reserved for documentation in that header.
        header: the name of the header that the settings name.
        nearby: whether the address that was given names this machine; requests may have gone past the proxies.
        on_this_machine: whether the requests went to this machine by any name, so that client and proxy may share an
            address.
        has_proxies: whether the settings trust any proxy.
    """
    found = tuple(_checks(plain, forged, header, nearby=nearby, on_this_machine=on_this_machine))
    return DoctorReport(diagnoses=found, unseen=tuple(_unseen(plain, nearby=nearby, has_proxies=has_proxies)))


def _checks(
    plain: Arrival, forged: Arrival, header: str, *, nearby: bool, on_this_machine: bool
) -> Iterator[Diagnosis]:
    # On one machine client and proxy may have the same address, which then stands in the header by right.
    if forged.forged_peer or (plain.rewritten and not plain.trusted and not on_this_machine):
        yield hazards.REWRITTEN_PEER.found(
            "the server puts an address from X-Forwarded-For in the place of the peer's, so a client may choose its own"
        )
    elif plain.forwarded and not plain.trusted:
        yield hazards.SHARED_BUCKET.found(
            "SEKISHO_TRUSTED_PROXIES: requests bring a forwarding header from a peer that it does not name"
            + (f", in {plain.network}" if plain.network else ""),
            f"SEKISHO_TRUSTED_PROXIES={plain.network}" if plain.network else "",
        )
    # Without a header of the proxy's own, a request from this machine went past the proxy: it may name any client. So
    # may one from a trusted proxy's address: what stands to the left of that is believed by right.
    elif plain.trusted and forged.forged_client and (plain.named or not nearby) and not plain.client_is_proxy:
        yield hazards.FORGED_ADDRESS.found(
            f"SEKISHO_CLIENT_IP_HEADER: a trusted proxy passes {header} on as the client wrote it"
        )
    elif plain.trusted and not plain.named and not nearby:
        yield hazards.UNNAMED_CLIENTS.found(f"SEKISHO_CLIENT_IP_HEADER: a trusted proxy sends no {header}")
    if not plain.outermost:
        yield hazards.NOT_OUTERMOST.found("LoginGuard stands inside a session middleware")


def _unseen(plain: Arrival, *, nearby: bool, has_proxies: bool) -> Iterator[Unseen]:
    if plain.client_is_proxy:
        yield Unseen(
            "whether a client can forge its address: the proxy sees this command at an address that "
            "SEKISHO_TRUSTED_PROXIES names, such as its own; run the command on another machine as well"
        )
    if plain.forwarded:
        return
    if nearby:
        yield Unseen("the proxies: --url leads past them, to this machine; give the address that clients use")
    elif has_proxies and not plain.trusted:
        yield Unseen("the proxies: the request did not pass any that SEKISHO_TRUSTED_PROXIES names")
    elif not plain.trusted and plain.network:
        yield Unseen(
            f"whether a proxy that names no client stands before the service: requests came from {plain.network}"
        )
