"""Real servers × frameworks × generated requests: what reaches a handler was charged or had a fresh proof.

`MATRIX_REQUESTS` is the number of requests for each framework behind each server (`make matrix`: 240). Seeds are fixed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

from tests.matrix.apps import FRAMEWORKS, OVERRIDDEN, PREFIX
from tests.matrix.serve import ROOTS, SERVERS
from tests.matrix.targets import BASIC, FORM, Sent, handshake, requests
from tests.matrix.wire import Answered, Http2, http1
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str, Sent], Answered]

REQUESTS = int(os.environ.get("MATRIX_REQUESTS", "7"))
MOUNTED = ("mounted, guarded inside", "mounted, guarded outside")
DOORS_OF_FORMS = ("login", "tenant", "recovery", "both")
START_SECONDS_MAX = 60


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """Every server by name and root path. granian has its own processes."""
    with served() as found, granian("") as plain, granian("/srv") as rooted:
        yield {**found, "granian ": plain, "granian /srv": rooted}


@contextmanager
def served() -> Iterator[dict[str, int]]:
    command = [sys.executable, "-m", "tests.matrix.serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def granian(root: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "tests.matrix.apps:app"]
    command += ["--port", str(port), "--log-level", "critical"]
    command += ["--url-path-prefix", root] if root else []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield port
        finally:
            process.terminate()  # it ends its worker
            process.wait(20)


def _wait(port: int) -> None:
    pause, look = time.monotonic() + START_SECONDS_MAX, Sent("GET", "/", (), b"", chunked=False)
    while time.monotonic() < pause:
        try:
            http1(port, "falcon/doors", look)
        except ConnectionError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("granian did not start")


def is_mounted(name: str) -> bool:
    return name.startswith(MOUNTED)


def names(kind: str) -> list[str]:
    return [f"{name}/{kind}" for name in (*FRAMEWORKS, *(f"{name}, overriding" for name in OVERRIDDEN), *MOUNTED)]


def wrong(name: str, sent: Sent, answered: Answered) -> str:
    """The fault in the way a handler was reached; empty if there is none."""
    said = answered.said
    if said is None or _is_well(name.rpartition("/")[2], sent, said):
        return ""
    return f"{name}: {said} after {sent}"


def _is_well(kind: str, sent: Sent, said: dict[str, Any]) -> bool:
    place = said["place"]
    if said.get("socket"):
        shows_basic = any(header.lower() == "authorization" for header, _ in sent.headers)
        shut = {"doors": {*DOORS_OF_FORMS, *(["files"] if shows_basic else [])}, "protect": {"pay", "payout"}}
        return place not in shut[kind]
    if kind == "doors":
        return said["account"] in {None, said["charged"]}
    return place != "payout" and not (place == "pay" and said["acts"])


@contextmanager
def asks(ports: dict[str, int], server: str, root: str) -> Iterator[Ask]:
    """The function that sends a request to a server."""
    name, _, protocol = server.partition(", ")
    port = ports[f"{name} {root}"]
    if protocol != "HTTP/2":
        yield partial(http1, port)
        return
    with closing(Http2(port)) as client:
        yield client.ask


ALL = [*SERVERS, "hypercorn, HTTP/2", "granian", "granian, HTTP/2"]


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("server", ALL)
def test_what_reaches_a_handler_was_charged_or_proved(ports: dict[str, int], server: str, root: str) -> None:
    """Each request that reaches a handler was charged or proved, for any target, method, header and body."""
    with asks(ports, server, root) as ask:
        tried = [
            (name, sent, ask(name, sent))
            for name in (*names("doors"), *names("protect"))
            for sent in requests(crc32(f"{server} {root} {name}".encode()), REQUESTS, root, mounted=is_mounted(name))
        ]
    assert [problem for one in tried if (problem := wrong(*one))] == []
    # The test would also pass if nothing ever arrived.
    assert any(answered.said for _, _, answered in tried)


@pytest.mark.parametrize("server", ALL)
def test_plain_requests_arrive_everywhere(ports: dict[str, int], server: str) -> None:
    """Plain requests arrive everywhere, or the other test would pass for a server that answers nothing."""
    with asks(ports, server, "") as ask:
        for name in names("doors"):
            prefix = PREFIX if is_mounted(name) else ""
            tried = ask(name, Sent("POST", f"{prefix}/login", TYPED, b"username=hana&password=guess", chunked=False))
            tenant = ask(name, Sent("POST", f"{prefix}/login/acme", TYPED, b"username=hana&password=x", chunked=False))
            sent = ask(name, Sent("POST", f"{prefix}/recovery/kei", (), b"", chunked=False))
            put = ask(name, Sent("PUT", f"{prefix}/both", TYPED, b"user=hana&token=7", chunked=False))
            shown = ask(name, Sent("GET", f"{prefix}/files/a", (("Authorization", BASIC),), b"", chunked=False))
            looked = ask(name, Sent("GET", f"{prefix}/login", (), b"", chunked=False))
            answers = (tried, tenant, sent, put, shown, looked)
            assert [answered.status for answered in answers] == [200] * 6, name
            accounts = [charged(answered) for answered in answers]
            # Another name at the door of resets: the other test may have used up what one name has there.
            assert accounts == ["hana", "hana", "kei", "hana", "hana", None], name
        for name in names("protect"):
            prefix = PREFIX if is_mounted(name) else ""
            paid = ask(name, Sent("POST", f"{prefix}/pay", TYPED, b"yen=1", chunked=False))
            looked = ask(name, Sent("GET", f"{prefix}/pay", (), b"", chunked=False))
            assert (paid, looked.status) == (Answered(401, None), 200), name


@pytest.mark.parametrize("server", ALL)
def test_sockets_are_opened_at_no_door(ports: dict[str, int], server: str) -> None:
    """No WebSocket opens at a door, where a log-in would be uncounted; elsewhere they open."""
    if server == "granian, HTTP/2":
        pytest.skip("it opens none over HTTP/2")
    with asks(ports, server, "") as ask:
        for name in (one for one in names("doors") if not one.startswith("django")):  # which has none
            prefix = PREFIX if is_mounted(name) else ""
            opened = ask(name, handshake(f"{prefix}/open"))
            assert opened.said == {"place": "open", "socket": True}, name
            for place in ("login", "login/acme", "recovery/hana", "both"):
                assert ask(name, handshake(f"{prefix}/{place}")).said is None, (name, place)


TYPED = (("Content-Type", FORM),)


def charged(answered: Answered) -> str | None:
    """The account charged for the request that a handler took."""
    assert answered.said is not None
    assert answered.said["charged"] == answered.said["account"]
    account: str | None = answered.said["account"]
    return account
