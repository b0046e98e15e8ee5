"""The load test plays its people as stated, sends every stolen pair once, and judges by the owners.

Locust patches any process that imports it, so it is run by its command, as users run it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from base64 import b32encode
from collections import Counter
from email.message import Message
from ipaddress import ip_address, ip_network
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import Request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loadtest.lists import ALL, NOTHING, Part, accounts, pairs
from benchmarks.loadtest.login import LET_IN, UNANSWERED, USUAL, Login
from benchmarks.loadtest.people import Cast
from benchmarks.loadtest.requests import numbered, requests
from benchmarks.loadtest.stages import Stages
from benchmarks.loadtest.verdict import NEW_DEVICE, OWNER, PROOF, TYPO, Bounds, Row, judge, rows_of, table
from sekisho.model import SettingsError
from sekisho.simulate.demo import GUARDED
from sekisho.simulate.phones import Phones
from sekisho.simulate.population import Population
from sekisho.simulate.service import DATABASE, ExampleService, add_owners
from tests.asgi.driving import Shop
from tests.browser import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.asgi.types import Receive, Scope, Send

ROOT = Path(__file__).resolve().parents[1]
JSON_HEAD = [(b"content-type", b"application/json")]
PROBLEM = [(b"content-type", b"application/problem+json")]
SESSION = [(b"location", b"/home"), (b"set-cookie", b"session=s; HttpOnly; Path=/")]
BOUNDS = Bounds(refused_share_max=0.01, p99_ms_max=500)
PEOPLE = 40
SECRET = "for tests of the load test alone: 71c0"


class Run(NamedTuple):
    """A finished load test."""

    exit_code: int
    output: str
    report: dict[str, Any]

    def answers(self, kind: str) -> dict[str, int]:
        answers: dict[str, int] = self.report["users"][kind]["answers"]
        return answers


def locust(folder: Path, port: int, *options: str) -> Run:
    """Seven seconds against a service on loopback, forty times as fast as usual."""
    command = [sys.executable, "-m", "locust", "-f", "benchmarks/locustfile.py", "--headless", "--only-summary"]
    command += ["--host", f"http://127.0.0.1:{port}", "--accounts", str(folder / "owners.csv")]
    command += ["--stages", "1,1,3,2", "--owners", "4", "--attackers", "10", "--pace", "40"]
    report = folder / "report.json"
    done = subprocess.run(
        [*command, "--report", str(report), *options],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert report.exists(), done.stdout
    return Run(done.returncode, done.stdout, json.loads(report.read_text()))


def write_owners(folder: Path, owners: dict[str, str]) -> None:
    (folder / "owners.csv").write_text("".join(f"{account},{password}\n" for account, password in owners.items()))


def write_combos(folder: Path, pairs: list[tuple[str, str]]) -> str:
    (path := folder / "combos.txt").write_text("".join(f"{account}:{password}\n" for account, password in pairs))
    return str(path)


@pytest.fixture(scope="module")
def members() -> dict[str, str]:
    population = Population(PEOPLE)
    return {population.account(number): population.password(number) for number in range(PEOPLE)}


async def attacked(folder: Path, redis_url: str, members: dict[str, str], **settings: str) -> tuple[Run, int]:
    """The guarded example service under stuffing and spraying, and its number of password checks."""
    await add_owners(Population(PEOPLE), folder)
    if not (folder / "owners.csv").exists():
        write_owners(folder, members)
    combos = write_combos(folder, [(f"nobody{number}@mail.example", f"leaked{number}") for number in range(150)])
    guard = {
        "SEKISHO_SECRET": SECRET,
        "SEKISHO_STORE": redis_url,
        "SEKISHO_TRUSTED_PROXIES": "127.0.0.1",
        "SEKISHO_STORE_DEADLINE_MS": "2000",  # a busy machine is no broken store
        **{f"SEKISHO_{name.upper()}": value for name, value in settings.items()},
    }
    async with ExampleService(GUARDED, folder, guard) as service:
        # A busy machine may be slow: owners' waiting times are not under test here.
        run = await asyncio.to_thread(locust, folder, service.port, "--combos", combos, "--p99-ms-max", "60000")
        return run, (await service.read_meter()).password_checks


async def test_a_guard_that_spares_its_owners_passes(tmp_path: Path, redis_url: str, members: dict[str, str]) -> None:
    """A guard that spares its owners passes, with attackers refused and owners known after their first log-in."""
    run, checks = await attacked(tmp_path, redis_url, members)

    assert run.exit_code == 0, run.output
    assert run.report["passed"]
    assert set(run.answers(OWNER)) == set(run.answers(NEW_DEVICE)) == {LET_IN}
    assert set(run.answers(TYPO)) == {"401"}
    assert run.answers("Sprayer")["401 challenge_required"] > 0
    assert run.answers("Stuffer") == {"401": 150}
    # Sent and counted requests are the same.
    answers = sum((Counter(user["answers"]) for user in run.report["users"].values()), Counter[str]())
    assert checks == answers[LET_IN] + answers["401"]
    assert "PASSED: 0 of owners'" in run.output.splitlines()[-2]


async def test_a_guard_that_refuses_owners_fails(tmp_path: Path, redis_url: str, members: dict[str, str]) -> None:
    """A guard that refuses owners fails: with one attempt a day, an owner who mistypes once is a stranger."""
    run, _ = await attacked(tmp_path, redis_url, members, limit_lane="1/day", limit_account="1/day")

    assert run.exit_code == 1, run.output
    assert not run.report["passed"]
    assert run.answers(OWNER)["401 challenge_required"] > 0
    assert "log-ins with the right password were refused" in run.report["reasons"][-2]
    assert "FAILED: " in run.output.splitlines()[-2]


async def test_owners_with_a_second_factor_show_it_once(
    tmp_path: Path, redis_url: str, members: dict[str, str]
) -> None:
    """An owner with a second factor shows it once on a new device, and never again there."""
    phones = Phones(Population(PEOPLE), seed=7)
    apps = [b32encode(phones._secret(number)).decode() for number in range(PEOPLE)]
    rows = zip(members.items(), apps, strict=True)
    (tmp_path / "owners.csv").write_text("".join(f"{name},{password},{app}\n" for (name, password), app in rows))
    phones.enrol(tmp_path / DATABASE, SECRET.encode())

    run, _ = await attacked(
        tmp_path,
        redis_url,
        members,
        factors="totp",
        owners=f"sqlite+aiosqlite:///{tmp_path / DATABASE}",
        owners_query="select null as email, null as locale from members where username = :account",
    )

    assert run.exit_code == 0, run.output
    assert set(run.answers(NEW_DEVICE)) <= {"401 step_up_required", "401 challenge_required"}
    assert run.answers(PROOF) == {LET_IN: run.answers(NEW_DEVICE)["401 step_up_required"]}
    assert set(run.answers(OWNER)) == {LET_IN}
    assert not any(LET_IN in run.answers(kind) for kind in ("Stuffer", "Sprayer"))


class Busy(Shop):
    """A shop that takes long for a log-in, as hashing does on a busy machine."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def late(message: Any) -> None:
            await asyncio.sleep(1.5 if message.get("status") == 303 else 0)
            await send(message)

        await super().__call__(scope, receive, late)


def test_two_workers_send_every_pair_once(tmp_path: Path) -> None:
    """Two workers lose no pair, repeat none, and together report what both saw, up to answers after the end."""
    shop = Busy({f"owner{number}": f"right{number}" for number in range(6)})
    write_owners(tmp_path, shop.owners)
    listed = [(f"someone{number}@mail.example", f"leaked{number}") for number in range(101)]
    combos = write_combos(tmp_path, listed)

    with serving(shop) as port:
        run = locust(tmp_path, port, "--combos", combos, "--processes", "2", "--p99-ms-max", "60000")

    assert run.exit_code == 0, run.output
    assert Counter(shop.reached) & Counter(listed) == Counter(listed)
    assert [pair for pair, times in Counter(shop.reached).items() if pair in set(listed) and times > 1] == []
    assert run.answers("Stuffer") == {"401": len(listed)}
    assert sum(user["attempts"] for user in run.report["users"].values()) == len(shop.reached)
    # Each owner logs in at one of the two alone, from one device that is new once.
    assert run.answers(NEW_DEVICE) == {LET_IN: len(shop.owners)}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--stages", "1,2"], "wants the seconds of quiet, ramp, storm and recovery"),
        (["--login", "POST /login multipart"], "none of the encodings form, json and oauth2"),
        (["--combos", "nowhere.txt"], "nowhere.txt: No such file or directory"),
        (["--accounts", ""], "--accounts is needed"),
    ],
)
def test_what_makes_no_sense_stops_the_start(tmp_path: Path, options: list[str], complaint: str) -> None:
    """A wrong option stops the start: a useless load test is found in the first second."""
    write_owners(tmp_path, {"hana": "right"})
    command = [sys.executable, "-m", "locust", "-f", "benchmarks/locustfile.py", "--headless"]
    command += ["--host", "http://127.0.0.1:9", "--accounts", str(tmp_path / "owners.csv"), *options]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode != 0
    assert complaint in done.stderr


def test_what_is_tested_here_leaves_this_process_alone() -> None:
    """The parts tested here patch nothing in this process: sockets are patched by Locust alone."""
    parts = ", ".join(f"benchmarks.loadtest.{part}" for part in ("lists", "login", "people", "stages", "verdict"))
    code = f"import sys, {parts}; print({{'locust', 'gevent'}} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_the_manual_knows_the_options() -> None:
    """The manual's options exist in Locust or here, and each of ours is in the manual."""
    manual = (ROOT / "docs" / "loadtest.md").read_text("utf-8")
    # Locust's own `--help` comes before it reads the file.
    code = "from locust.argument_parser import get_parser; import benchmarks.locustfile; get_parser().print_help()"
    help_text = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    option = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
    told = set(option.findall(manual)) - {"--pairs"}  # of `sekisho corpus build`
    ours = {
        f"--{name}"
        for name in re.findall(r"^  --([a-z0-9-]+) .*\n", help_text.partition("A log-in under attack")[2], re.MULTILINE)
    }
    assert told - set(option.findall(help_text)) == set()
    assert ours - told == set()
    assert "--refused-percent-max" in ours


# The lists


@given(st.integers(1, 7), st.integers(0, 60))
def test_parts_are_a_partition(workers: int, lines: int) -> None:
    """Every line is one worker's, and their parts differ by one line at most."""
    parts = [[line for line in range(lines) if Part(number, workers).has(line)] for number in range(workers)]

    assert sorted(line for part in parts for line in part) == list(range(lines))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_worker_without_a_part_sends_nothing() -> None:
    """A worker without an assigned part sends nothing, or it would repeat another's."""
    assert not any(NOTHING.has(line) for line in range(10))


def test_a_list_is_read_as_the_corpus_reads_it(tmp_path: Path) -> None:
    """Accounts are read as written, passwords may have colons, and a line without one is no pair."""
    (path := tmp_path / "list").write_text("Hana@Mail.example:a:b\nno pair\n\nhttps://shop.example/login:ken:pw\n")

    assert list(pairs(path, ALL)) == [("Hana@Mail.example", "a:b"), ("ken", "pw")]
    assert list(pairs(path, Part(1, 2))) == [("ken", "pw")]


def test_a_long_list_is_never_held(tmp_path: Path) -> None:
    """A long list is streamed: the first pair is there before its end is read."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    endless = f"f = open({str(path)!r}, 'w')\nwhile True: f.write('a:b\\n' * 9999)"
    with subprocess.Popen([sys.executable, "-c", endless]) as writer:
        try:
            assert list(islice(pairs(path, ALL), 3)) == [("a", "b")] * 3
        finally:
            writer.kill()


def test_owners_are_told_by_their_line(tmp_path: Path) -> None:
    """Owners are numbered by their line, so their address is the same at any worker; quotes and commas are CSV's."""
    (path := tmp_path / "owners.csv").write_text('\ufeffhana,"a,b"\n\nken,pw,JBSW\n', encoding="utf-8")

    assert list(accounts(path, ALL)) == [(0, "hana", "a,b", ""), (1, "ken", "pw", "JBSW")]
    assert list(accounts(path, Part(1, 2))) == [(1, "ken", "pw", "JBSW")]


def test_an_owner_without_a_password_is_named_by_line_alone(tmp_path: Path) -> None:
    """An owner without a password is named by the line alone: its text may be a password."""
    (path := tmp_path / "owners.csv").write_text("hana,right\nhunter2\n")

    with pytest.raises(ValueError, match=r"^line 2 is not account,password$"):
        list(accounts(path, ALL))


# The log-in


@pytest.mark.parametrize(
    ("text", "content_type", "body"),
    [
        (USUAL, "application/x-www-form-urlencoded", "username=h%26a&password=p+w"),
        ("POST /t json:user.email,user.pw", "application/json", '{"user": {"email": "h&a", "pw": "p w"}}'),
        ("POST /t basic json:a|b,p", "application/json", '{"a": "h&a", "p": "p w"}'),
        ("POST /t oauth2", "application/x-www-form-urlencoded", "grant_type=password&username=h%26a&password=p+w"),
    ],
)
def test_a_log_in_is_written_as_the_door_says(text: str, content_type: str, body: str) -> None:
    """A log-in is written in the guard's notation of doors."""
    post = Login(text).post("h&a", "p w")

    assert (post.method, post.content_type, post.body) == ("POST", content_type, body)


@pytest.mark.parametrize("text", ["POST /a form; POST /b form", "POST /a basic", "POST /a?b form"])
def test_what_is_no_such_door_is_refused(text: str) -> None:
    """Two doors, one without a body, and one without a route are refused."""
    with pytest.raises(SettingsError, match=r"^--login: "):
        Login(text)


@pytest.mark.parametrize(
    ("status", "headers", "body", "told"),
    [
        (303, SESSION, b"", LET_IN),
        (200, JSON_HEAD, b'{"access_token": "t"}', LET_IN),
        (401, [], b"wrong", "401"),
        (303, [(b"location", b"/login")], b"", "303 unclear"),
        (429, PROBLEM, b'{"code": "too_many_attempts"}', "429 too_many_attempts"),
        (401, PROBLEM, b'{"code": "step_up_required"}', "401 step_up_required"),
        (403, PROBLEM, b'{"code": "another %d for each answer"}', "403"),
        (503, PROBLEM, b"not json", "503"),
        (0, [], b"", UNANSWERED),
    ],
)
def test_an_answer_is_understood(status: int, headers: list[tuple[bytes, bytes]], body: bytes, told: str) -> None:
    """Any answer of a service is reduced to a few countable words."""
    assert told == Login("POST /login").told(status, headers, body)


def test_a_rule_of_success_is_obeyed() -> None:
    """A success rule is configured as for the guard, where success cannot be guessed."""
    login = Login("POST /login form success=302:/home")

    assert login.told(302, [(b"location", b"/home")], b"") == LET_IN
    assert login.told(302, [(b"location", b"/again")], b"") == "302"


# The people


@pytest.fixture
def cast(tmp_path: Path) -> Cast:
    write_owners(tmp_path, {f"owner{number}": f"right{number}" for number in range(30)})
    return Cast(ALL, str(tmp_path / "owners.csv"), write_combos(tmp_path, [("a", "1")]), ("x", "y"), seed=1)


def test_one_log_in_of_seven_begins_with_a_typo(cast: Cast) -> None:
    """Of each owner, and not of all at the same time."""
    assert [sum(owner.mistypes() for _ in range(70)) for owner in cast.owners] == [10] * 30
    assert 3 <= sum(owner.mistypes() for owner in cast.owners) <= 6


def test_no_owner_shares_an_address_with_attackers(cast: Cast) -> None:
    """No owner shares an address with attackers or another owner, and no two attackers' attempts share one."""
    homes = {owner.browser.address for owner in cast.owners}
    lairs = {cast.new_browser().address for _ in range(5_000)}

    assert (len(homes), len(lairs), homes & lairs) == (30, 5_000, set())
    assert all(ip_address(address) in ip_network("240.0.0.0/4") for address in homes | lairs)


def test_workers_share_no_address(tmp_path: Path) -> None:
    """Each worker's attackers are new to the service."""
    write_owners(tmp_path, {"hana": "right", "ken": "right"})
    casts = [Cast(Part(number, 3), str(tmp_path / "owners.csv"), "", ("x",), seed=1) for number in range(3)]

    assert len({cast.new_browser().address for cast in casts for _ in range(100)}) == 300


def test_secure_cookies_are_kept_behind_the_proxy(cast: Cast) -> None:
    """The device token is `__Host-` and `Secure`; the load test speaks to the service without TLS."""

    class Answered:
        def info(self) -> Message:
            message = Message()
            message["Set-Cookie"] = "__Host-sekisho=t; Max-Age=99; Path=/; Secure; HttpOnly"
            return message

    (owner, *_) = cast.owners
    jar = owner.browser.cookies
    assert jar is not None
    jar.extract_cookies(Answered(), Request("http://shop.test/login"))  # type: ignore[arg-type] # all that it reads
    jar.add_cookie_header(request := Request("http://shop.test/login"))

    assert request.get_header("Cookie") == "__Host-sekisho=t"


def test_a_list_ends(cast: Cast) -> None:
    """A list gives each pair once, and then nothing."""
    assert (cast.next_pair(), cast.next_pair(), cast.next_pair()) == (("a", "1"), None, None)


def test_a_sprayer_tries_one_password_at_every_account(cast: Cast) -> None:
    """And the next one in the next round."""
    rounds = list(islice(cast.spraying(), 60))

    assert {password for _, password in rounds[:30]} != {password for _, password in rounds[30:]}
    for one in (rounds[:30], rounds[30:]):
        assert len({account for account, _ in one}) == 30
        assert len({password for _, password in one}) == 1


def test_low_and_slow_stays_at_one_account(cast: Cast) -> None:
    """And never tries a password twice, or the guard would not count it."""
    guesses: Iterator[tuple[str, str]] = islice(cast.guessing(), 50)
    tried = list(guesses)

    assert len({account for account, _ in tried}) == 1
    assert len({password for _, password in tried}) == 50


# The phases


def test_attackers_come_and_go() -> None:
    """None in the quiet, more and more in the ramp, all in the storm, none in the recovery."""
    stages = Stages.read("10,20,30,40")

    assert [stages.attackers(second, 80) for second in (0, 9.9, 10, 20, 29.9, 30, 59.9)] == [0, 0, 0, 40, 79, 80, 80]
    assert [stages.attackers(second, 80) for second in (60, 99.9, 100, 1_000)] == [0, 0, None, None]


def test_a_ramp_may_take_no_time() -> None:
    """The storm comes at once, and nothing is divided by nothing."""
    assert Stages(1, 0, 1, 0).attackers(1, 80) == 80


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1,2,3,-4", "1,2,3,nan", "1,2,3,inf"])
def test_other_courses_are_refused(text: str) -> None:
    """A test that never ends, or that ends at once, is refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - one of them is Python's own
        Stages.read(text)


# The verdict


def rows(**answers: dict[str, int]) -> dict[str, Row]:
    kinds = {"known": OWNER, "new": NEW_DEVICE, "typo": TYPO, "stuffer": "Stuffer"}
    return rows_of((kinds[kind], told, {10: count}) for kind, one in answers.items() for told, count in one.items())


def test_refused_attackers_and_typos_are_no_failure() -> None:
    """Refused attackers, typing errors and a proof at a first log-in are no failures."""
    verdict = judge(
        rows(
            known={LET_IN: 100},
            new={LET_IN: 5, "401 step_up_required": 7},
            typo={"429 too_many_attempts": 9},
            stuffer={"403 denied": 1_000},
        ),
        BOUNDS,
    )

    assert verdict.passed


@pytest.mark.parametrize(
    "told", ["429 too_many_attempts", "403 denied", "401 step_up_required", "503", UNANSWERED, "401"]
)
def test_a_known_owner_who_is_not_let_in_was_refused(told: str) -> None:
    """A known owner who is not let in counts as refused for any answer; one in a hundred is allowed."""
    assert judge(rows(known={LET_IN: 99, told: 1}), BOUNDS).passed
    assert not judge(rows(known={LET_IN: 98, told: 2}), BOUNDS).passed


def test_a_new_device_may_be_asked_and_not_refused() -> None:
    """Its owner is no attacker either."""
    assert not judge(rows(known={LET_IN: 10}, new={"429 too_many_attempts": 1}), BOUNDS).passed


def test_successes_that_cannot_be_told_are_named() -> None:
    """A service that leads to its front page needs a rule in `--login`: the verdict says so, and only then."""
    unclear, refused = (judge(rows(new={told: 10}), BOUNDS).reasons for told in ("303 unclear", "401"))

    assert any("say in --login what only a right log-in is answered with" in reason for reason in unclear)
    assert not any("--login what only" in reason for reason in refused)


def test_a_siege_without_owners_proves_nothing() -> None:
    """Without owners the verdict is no proof."""
    assert not judge({}, BOUNDS).passed
    assert not judge(rows(stuffer={"401": 10}), BOUNDS).passed
    assert not judge(rows(new={"401 step_up_required": 10}), BOUNDS).passed


def test_owners_who_wait_fail_it() -> None:
    """More than one in fifty owners who wait too long fails it; attackers may wait."""
    slow = rows_of([(OWNER, LET_IN, {10: 98, 900: 2}), ("Stuffer", "401", {9_000: 5})])
    fast = rows_of([(OWNER, LET_IN, {10: 99, 900: 1})])

    assert (judge(slow, BOUNDS).passed, judge(fast, BOUNDS).passed) == (False, True)
    assert "owners' p99 is 900 ms (allowed: 500 ms)" in judge(slow, BOUNDS).reasons


def test_what_broke_the_test_fails_it() -> None:
    """A verdict from one of two workers fails."""
    verdict = judge(rows(known={LET_IN: 10}), BOUNDS, ["1 of 2 workers were lost"])

    assert (verdict.passed, verdict.reasons[0]) == (False, "1 of 2 workers were lost")


def test_the_summary_tells_who_and_what_and_why() -> None:
    """By kind of user: attempts, let in, times, and each other answer."""
    seen = rows(known={LET_IN: 200, "429 too_many_attempts": 3}, stuffer={"401": 1_000})
    page = table(seen, judge(seen, BOUNDS)).splitlines()

    assert page[1].split() == ["Owner", "203", "200", "10", "10", "3", "x", "429", "too_many_attempts"]
    assert page[2].split() == ["Stuffer", "1,000", "0", "10", "10", "1,000", "x", "401"]
    assert page[-1].startswith("FAILED: 3 of owners' 203 log-ins with the right password were refused, 1.478%")


def test_requests_beside_the_log_in_are_numbered() -> None:
    """Other doors are written as a method, a path and a form; each request has a number of its own."""
    found = list(islice(numbered(requests("POST /link number={n}&pin=1234; GET /home"), 7), 3))
    assert [(post.method, post.path, post.body) for post in found] == [
        ("POST", "/link", "number=0000007&pin=1234"),
        ("GET", "/home", ""),
        ("POST", "/link", "number=0000009&pin=1234"),
    ]
    assert list(numbered((), 0)) == []
    for text in ("link", "TRACE /", "GET home"):
        with pytest.raises(ValueError, match="as in"):
            requests(text)


def test_the_wallet_is_besieged_in_one_command() -> None:
    """Owners open their pages, and attackers try every other door."""
    words = ["--stages", "1,1,6,1", "--owners", "3", "--attackers", "12", "--pace", "2"]
    command = [sys.executable, "-m", "benchmarks.loadtest.wallet", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    rows = {line[:20].strip() for line in done.stdout.splitlines()}
    assert {"Owner, new device", "Owner, second proof", "Owner, page", "Knocker /link", "Knocker /reset"} <= rows
