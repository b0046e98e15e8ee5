"""What Prometheus reads: the sums of all workers, behind a token, without any name that a client sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from sekisho.metrics import ALL_FAMILIES, Additions, Gauges, SharedCounts
from sekisho.metrics.document import markdown
from sekisho.metrics.families import families
from sekisho.model import StoreUnavailable
from tests.asgi.driving import HERE, OPEN, Answer, Shop, ask, guarded, http, log_in
from tests.doctor.test_store import guarded as guarded_user
from tests.doctor.test_store import rights_in_docs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.types import App
    from tests.servers import RedisServer

TOKEN = "a-token-of-forty-characters-for-the-test"
AUTHORIZED = ((b"authorization", b"Bearer " + TOKEN.encode()),)


async def metrics(app: App, *headers: tuple[bytes, bytes], path: str = "/sekisho/metrics") -> Answer:
    return await ask(app, http(path, method="GET", headers=[*AUTHORIZED, *headers]))


async def samples(app: App) -> dict[str, float]:
    """Samples as Prometheus writes them: `name{label="value"}`."""
    text = (await metrics(app)).body.decode()
    return {
        _named(sample.name, sample.labels): sample.value for family in prometheus(text) for sample in family.samples
    }


def _named(name: str, labels: dict[str, str]) -> str:
    return name + ("{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}" if labels else "")


@pytest.mark.parametrize("headers", [(), ((b"authorization", b"Bearer wrong"),), ((b"authorization", TOKEN.encode()),)])
async def test_only_the_token_opens_the_page(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """Without the right bearer token the page answers 401, and shows nothing."""
    app = guarded(Shop(), metrics_token=TOKEN)
    answer = await ask(app, http("/sekisho/metrics", method="GET", headers=headers))
    assert (answer.status, answer.header(b"www-authenticate")) == (401, b'Bearer realm="metrics"')
    assert b"sekisho_" not in answer.body
    assert answer.header(b"content-length") == b"%d" % len(answer.body)


async def test_without_a_token_in_the_settings_there_is_no_page() -> None:
    """Metrics are off by default: the application answers."""
    assert (await metrics(guarded(Shop()))).body == b"welcome"


async def test_attempts_add_up() -> None:
    """Every attempt is in exactly one sample of `attempts`, also one with several findings."""
    app = guarded(Shop(), metrics_token=TOKEN, limit_ip="3/hour", limit_account="3/hour")
    for number in range(7):
        await log_in(app, password=f"wrong {number}")
    found = await samples(app)
    attempts = {name: count for name, count in found.items() if name.startswith("sekisho_attempts_total")}
    assert attempts == {
        'sekisho_attempts_total{action="allow",door="POST /login"}': 3,
        'sekisho_attempts_total{action="throttle",door="POST /login"}': 4,
    }
    by_reason = {name: count for name, count in found.items() if name.startswith("sekisho_findings_total")}
    assert sum(by_reason.values()) > 4
    assert found['sekisho_outcomes_total{door="POST /login",outcome="failed"}'] == 3


async def test_decisions_are_timed() -> None:
    """The histogram counts each decision once, and its sum grows."""
    app = guarded(Shop(), metrics_token=TOKEN)
    for _ in range(3):
        await log_in(app, password="wrong")
    found = await samples(app)
    assert found["sekisho_decision_seconds_count"] == 3
    assert found['sekisho_decision_seconds_bucket{le="+Inf"}'] == 3
    assert found["sekisho_decision_seconds_sum"] > 0


async def test_nothing_of_a_client_becomes_a_label() -> None:
    """Labels hold doors and codes: no account, address, agent or path of a client."""
    app = guarded(Shop(), metrics_token=TOKEN, limit_ip="2/hour")
    for number in range(5):
        agent = (b"user-agent", b"agent-%d" % number)
        await log_in(app, f"marked-{number}@mail.example", "marked-secret", headers=(agent,))
    await ask(app, http("/login", headers=[]), b"{marked")
    text = (await metrics(app)).body.decode()
    assert not re.search(r"marked|agent-|mail\.example|" + re.escape(HERE), text)


async def test_the_format_follows_the_accept_header() -> None:
    """Prometheus asks for OpenMetrics; a program that does not gets the text format."""
    app = guarded(Shop(), metrics_token=TOKEN)
    await log_in(app)
    plain = await metrics(app)
    assert plain.header(b"content-type") == b"text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8" or (
        plain.header(b"content-type") or b""
    ).startswith(b"text/plain; version=0.0.4")
    modern = await metrics(app, (b"accept", b"application/openmetrics-text; version=1.0.0"))
    assert (modern.header(b"content-type") or b"").startswith(b"application/openmetrics-text")
    assert "sekisho_attempts" in {family.name for family in openmetrics(modern.body.decode())}  # type: ignore[no-untyped-call] # it has no types


async def test_any_worker_answers_for_all(redis_url: str) -> None:
    """Two workers on one Redis: either answers with the sum of both."""
    first, second = (guarded(Shop(), store=redis_url, metrics_token=TOKEN, namespace="sum", **OPEN) for _ in range(2))
    for number in range(4):
        await log_in(first, f"one-{number}")
    for number in range(3):
        await log_in(second, f"two-{number}")
    await _add(first)
    name = 'sekisho_attempts_total{action="allow",door="POST /login"}'
    assert (await samples(second))[name] == 7
    assert (await samples(first))[name] == 7
    await _stop(first, second)


async def test_the_counts_of_a_worker_that_is_gone_stay(redis_url: str) -> None:
    """Sums do not fall when a worker ends: Prometheus would take that for a restart and count anew."""
    first = guarded(Shop(), store=redis_url, metrics_token=TOKEN, namespace="gone", **OPEN)
    await log_in(first)
    await _add(first)
    await _stop(first)
    second = guarded(Shop(), store=redis_url, metrics_token=TOKEN, namespace="gone", **OPEN)
    await log_in(second)
    assert (await samples(second))['sekisho_attempts_total{action="allow",door="POST /login"}'] == 2
    await _stop(second)


async def test_the_documented_rights_suffice(own_redis_server: RedisServer) -> None:
    """A Redis user with the rights of docs/production.md adds counts and reads the sums."""
    url = guarded_user(
        own_redis_server, *rights_in_docs("every deployment"), *rights_in_docs("`SEKISHO_METRICS_TOKEN`")
    )
    guard = guarded(Shop(), store=url, metrics_token=TOKEN, **OPEN)
    await log_in(guard)
    await _add(guard)
    assert (await samples(guard))['sekisho_attempts_total{action="allow",door="POST /login"}'] == 1
    await _stop(guard)


class _Store:
    """A store whose answers may be lost: the script is done, and the caller hears nothing."""

    def __init__(self, execute: Callable[..., Any]) -> None:
        self._execute = execute
        self.loses = False

    async def execute(self, *command: bytes) -> Any:
        found = await self._execute(*command)
        if self.loses:
            raise StoreUnavailable
        return found


async def test_an_addition_whose_answer_was_lost_counts_once(redis_server: RedisServer) -> None:
    """The same addition is sent again under the same number, and the store adds it once."""

    async def execute(*command: bytes) -> Any:
        return redis_server.cli(*command, text=False)

    counts = {("POST /login", "allow", ""): 5}
    store = _Store(execute)
    shared = SharedCounts(Additions(counts, b"worker-1"), store, "lost")  # type: ignore[arg-type] # what it needs of one
    store.loses = True
    with pytest.raises(StoreUnavailable):
        await shared.add()
    counts["POST /login", "allow", ""] = 6
    store.loses = False
    await shared.add()
    assert (await shared.sums())["POST /login", "allow", ""] == 6


async def test_event_loops_of_one_process_add_its_counts_once(redis_server: RedisServer) -> None:
    """Two event loops share the counts of their process: neither adds again what the other has added, early or late."""

    async def execute(*command: bytes) -> Any:
        return redis_server.cli(*command, text=False)

    counts = {("POST /login", "allow", ""): 5}
    additions = Additions(counts, b"worker-1")
    late = _Store(execute)
    one = SharedCounts(additions, late, "loops")  # type: ignore[arg-type] # what it needs of one
    other = SharedCounts(additions, _Store(execute), "loops")  # type: ignore[arg-type] # the same
    late.loses = True
    with pytest.raises(StoreUnavailable):
        await one.add()
    await other.add()
    counts["POST /login", "allow", ""] = 8
    late.loses = False
    await one.add()
    await other.add()
    assert (await other.sums())["POST /login", "allow", ""] == 8


async def test_more_counts_than_one_call_holds_are_added_in_several(redis_server: RedisServer) -> None:
    """A worker with many counts sends a bounded number in each call."""
    longest = 0

    async def execute(*command: bytes) -> Any:
        nonlocal longest
        longest = max(longest, len(command))
        return redis_server.cli(*command, text=False)

    counts = {("POST /login", "odd", str(number)): 1 for number in range(510)}
    shared = SharedCounts(Additions(counts, b"worker-1"), _Store(execute), "many")  # type: ignore[arg-type] # the same
    await shared.add()
    assert len(await shared.sums()) == 510
    assert longest == 8 + 2 * 500


def test_without_the_store_only_gauges_are_shown() -> None:
    """No counter is shown that another worker would show higher."""
    found = {family.name for family in families({}, Gauges("1.0", "enforce", store_up=False))}
    assert found == {"sekisho_info", "sekisho_store_up"}


def test_every_count_has_one_family() -> None:
    """An event without a family of its own is still shown, as `other_events`."""
    counts = {("POST /login", "something_new", "why"): 2, ("", "store", "lost"): 1, ("", "store", "anew"): 1}
    found = {
        _named(sample.name, sample.labels): sample.value
        for family in families(counts, Gauges("1.0", "enforce"))
        for sample in family.samples
    }
    assert found['sekisho_other_events_total{door="POST /login",event="something_new",reason="why"}'] == 2
    assert found['sekisho_part_changes_total{part="store",state="lost"}'] == 1
    assert found["sekisho_store_emptied_total"] == 1


def test_family_names_are_unique() -> None:
    """Prometheus refuses a page that names a family twice."""
    names = [family.name for family in ALL_FAMILIES]
    assert len(names) == len(set(names))


def test_the_document_is_up_to_date() -> None:
    """docs/metrics.md is what `python -m sekisho.metrics` writes."""
    assert (Path(__file__).parents[2] / "docs" / "metrics.md").read_text() == markdown()


async def _add(guard: Any) -> None:
    """What the worker does every second."""
    page = guard._loops._latest.metrics
    await page._shared.add()


async def _stop(*guards: Any) -> None:
    for guard in guards:
        await guard._loops.stop()
