"""A log-in under attack, for Locust: owners who must not notice, and three kinds of attackers who should.

    locust -f benchmarks/locustfile.py --headless --host https://staging.shop.example --accounts owners.csv

`docs/loadtest.md` is the manual. The exit code comes from the owners: how many were refused with the right password,
and how long they waited. That attackers are refused is no failure.
"""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from locust import FastHttpUser, LoadTestShape, events, task
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner, WorkerRunner

from benchmarks.loadtest.lists import ALL, NOTHING, Part
from benchmarks.loadtest.login import LET_IN, UNANSWERED, USUAL, Login, elsewhere
from benchmarks.loadtest.people import Cast
from benchmarks.loadtest.requests import numbered, requests
from benchmarks.loadtest.stages import Stages
from benchmarks.loadtest.verdict import NEW_DEVICE, OWNER, PROOF, TYPO, VISIT, Bounds, judge, report, rows_of, table
from sekisho.model import SekishoError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from locust import User
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment
    from locust.rpc import Message

    from benchmarks.loadtest.login import Post
    from benchmarks.loadtest.people import Browser, Guess

log = logging.getLogger("sekisho.loadtest")

SPAWNED_PER_SECOND_MAX = 100
STOP_SECONDS_MAX = 10.0  # an attempt that was sent is waited for, or it would be counted by the service alone
ANSWER_SECONDS_MAX = 30.0
SEED = 1709


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator] # Locust's
def add_options(parser: LocustArgumentParser) -> None:
    group = parser.add_argument_group("A log-in under attack")
    for name, default, about in (
        ("login", USUAL, "the log-in, in the notation of SEKISHO_LOGIN, with success= where it cannot be guessed"),
        (
            "accounts",
            "",
            "CSV file of owners: account,password and, where there is one, the authenticator app's secret",
        ),
        ("combos", "", "list of leaked pairs, account:password, each tried once; without it, nobody stuffs"),
        ("visits", "", "requests of owners who are in, as in: GET /home"),
        ("knocks", "", "requests of attackers at other doors, as in: POST /link number={n}&pin=1234"),
        ("spray", "123456,password,qwerty", "passwords to spray, separated by commas"),
        ("address-header", "X-Forwarded-For", "where the service reads a client's address that its proxy tells"),
        ("stages", "30,60,120,60", "seconds of quiet, ramp, storm and recovery"),
        ("owners", 20, "owners at a time"),
        ("attackers", 80, "attackers at a time, at most; eight of ten stuff"),
        ("pace", 1.0, "how many times faster than usual everybody goes"),
        ("refused-percent-max", 0.01, "of owners' log-ins with the right password, how many may be refused"),
        ("p99-ms-max", 1000.0, "how long 99 of 100 owners' log-ins may take"),
        ("report", "", "file for the summary as JSON"),
    ):
        variable = f"LOADTEST_{name.upper().replace('-', '_')}"
        group.add_argument(f"--{name}", env_var=variable, default=default, type=type(default), help=about)


class Visitor(FastHttpUser):
    """Somebody at the log-in."""

    abstract = True
    network_timeout = connection_timeout = ANSWER_SECONDS_MAX

    # Of this process, since Locust makes users without arguments. Set when a test starts.
    login: ClassVar[Login]
    cast: ClassVar[Cast]
    visits: ClassVar[tuple[Post, ...]] = ()
    knocks: ClassVar[tuple[Post, ...]] = ()

    pause_s = 1.0

    def wait_time(self) -> float:
        """Around `pause_s`, and not like clockwork."""
        return float(self.pause_s * random.uniform(0.5, 1.5) / options_of(self.environment).pace)

    def send(self, kind: str, post: Post, browser: Browser, *, door: bool = True) -> tuple[str, bytes]:
        """Send it; returns what became of it, for Locust to count, and the answer's body. `door`: it is the log-in."""
        headers = {
            "Accept": "*/*",
            "Content-Type": post.content_type,
            "User-Agent": browser.agent,
            options_of(self.environment).address_header: browser.address,
        }
        self.client.client.cookiejar = browser.cookies
        with self.client.request(
            post.method, post.path, data=post.body, headers=headers, allow_redirects=False, catch_response=True
        ) as answer:
            lines = answer.headers.items() if answer.headers else ()
            received = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines]
            body = answer.content or b""
            told = (self.login.told if door else elsewhere)(answer.status_code, received, body)
            answer.request_meta.update(request_type=kind, name=told)
            # A refusal is an answer. Only no answer at all is a failure in Locust's own statistics.
            answer.failure(UNANSWERED) if told == UNANSWERED else answer.success()
        return told, body


class Owner(Visitor):
    """Knows the password and types it right six times of seven, at home, with a browser that keeps its cookies."""

    pause_s = 5.0

    @task
    def log_in(self) -> None:
        if not self.cast.owners:
            return
        owner = self.cast.owners.popleft()
        try:
            if owner.mistypes():
                self.send(TYPO, self.login.post(owner.account, owner.mistyped), owner.browser)
            kind = OWNER if owner.known else NEW_DEVICE
            told, body = self.send(kind, self.login.post(owner.account, owner.password), owner.browser)
            if owner.has_app and (proof := self.login.proof(body, owner.code)):
                told, _ = self.send(PROOF, proof, owner.browser)
            owner.known = owner.known or told == LET_IN
            for visit in self.visits if told == LET_IN else ():
                self.send(VISIT, visit, owner.browser, door=False)
        finally:
            self.cast.owners.append(owner)


class Attacker(Visitor):
    """Never twice from one address, and keeps no cookies."""

    abstract = True

    def guess(self, guess: Guess) -> None:
        self.send(type(self).__name__, self.login.post(*guess), self.cast.new_browser())


class Stuffer(Attacker):
    """Tries the pairs of the combo list."""

    weight = 8
    pause_s = 0.5

    @task
    def stuff(self) -> None:
        if pair := self.cast.next_pair():
            self.guess(pair)


class Sprayer(Attacker):
    """Tries one password at many accounts."""

    pause_s = 2.0

    def on_start(self) -> None:
        self._guesses: Iterator[Guess] = self.cast.spraying()

    @task
    def spray(self) -> None:
        if guess := next(self._guesses, None):
            self.guess(guess)


class Knocker(Attacker):
    """Tries the other doors: links, sign-ups, resets, payouts."""

    weight = 3
    pause_s = 0.5

    def on_start(self) -> None:
        self._knocks = numbered(self.knocks, random.randrange(10**6))

    @task
    def knock(self) -> None:
        if post := next(self._knocks, None):
            self.send(f"Knocker {post.path}", post, self.cast.new_browser(), door=False)


class LowAndSlow(Attacker):
    """Guesses at one account now and then."""

    pause_s = 30.0

    def on_start(self) -> None:
        self._guesses: Iterator[Guess] = self.cast.guessing()

    @task
    def try_one(self) -> None:
        if guess := next(self._guesses, None):
            self.guess(guess)


class Siege(LoadTestShape):
    """Quiet, ramp, storm, recovery."""

    @property
    def _last_reports_s(self) -> float:
        # A master that quits waits half a second for its workers, even if they have not reported everything.
        return WORKER_REPORT_INTERVAL + 1 if isinstance(self.runner, MasterRunner) else 0

    def tick(self) -> tuple[int, float, list[type[User]]] | None:
        if self.runner is None:
            raise RuntimeError("Locust gives a shape its runner before it asks")
        options = options_of(self.runner.environment)
        second = self.get_run_time()  # type: ignore[no-untyped-call] # Locust's
        attackers = Stages.read(options.stages).attackers(second, options.attackers)
        if attackers is None:
            ended = second - sum(Stages.read(options.stages))
            return (0, SPAWNED_PER_SECOND_MAX, [Owner]) if ended < self._last_reports_s else None
        people: list[type[User]] = [Owner]
        if attackers:
            people += [Stuffer, Sprayer, LowAndSlow] if options.combos else [Sprayer, LowAndSlow]
            people += [Knocker] if options.knocks else []
        return options.owners + attackers, SPAWNED_PER_SECOND_MAX, people


@events.init.add_listener  # type: ignore[untyped-decorator] # Locust's
def prepare(environment: Environment, **_: object) -> None:
    """Stop here if an option makes no sense. Owners are as many as requested, in every mode."""
    options = options_of(environment)
    environment.stop_timeout = environment.stop_timeout or STOP_SECONDS_MAX
    Owner.fixed_count = options.owners
    runner = environment.runner
    if isinstance(runner, WorkerRunner):
        Worker.part = NOTHING
        runner.register_message("part", Worker.told_part)
        return
    Worker.part = ALL
    _ensure_sound(options, environment)


class Worker:
    """Which part of the lists is this process's; and of a master, which workers it has, and which it lost."""

    part: ClassVar[Part]
    all: ClassVar[frozenset[str]] = frozenset()
    lost: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def told_part(cls, msg: Message, **_: object) -> None:
        cls.part = Part(**msg.data)


def _ensure_sound(options: Namespace, environment: Environment) -> None:
    """Raises `SystemExit` with what is wrong. `ValueError` covers lists and numbers, and `SettingsError` the door."""
    if not environment.host:
        raise SystemExit("--host is needed: the service that is tested, e.g. https://staging.shop.example")
    if not options.accounts:
        raise SystemExit("--accounts is needed: nobody can be judged by how attackers are treated alone")
    try:
        Login(options.login)
        Stages.read(options.stages)
        requests(options.visits + ";" + options.knocks)
        cast = _cast(options, ALL)
        if not cast.owners or (options.combos and not cast.next_pair()):
            raise SystemExit("--accounts and --combos are to have at least a line")
    except (OSError, ValueError, SekishoError) as error:
        raise SystemExit(str(error)) from None


@events.test_start.add_listener  # type: ignore[untyped-decorator] # Locust's
def begin(environment: Environment, **_: object) -> None:
    options, runner = options_of(environment), environment.runner
    if isinstance(runner, MasterRunner):
        # Sent before the users are: messages to a worker keep their order. Who joins later has no part, and no users
        # that could send a pair for a second time.
        Worker.all, Worker.lost = _working(runner), frozenset()
        for number, worker in enumerate(Worker.all):
            runner.send_message("part", Part(number, len(Worker.all))._asdict(), client_id=worker)
        return
    Visitor.login, Visitor.cast = Login(options.login), _cast(options, Worker.part)
    Visitor.visits, Visitor.knocks = requests(options.visits), requests(options.knocks)


@events.test_stopping.add_listener  # type: ignore[untyped-decorator] # Locust's
def end(environment: Environment, **_: object) -> None:
    if isinstance(environment.runner, MasterRunner):
        Worker.lost = Worker.all - _working(environment.runner)


def _working(runner: MasterRunner) -> frozenset[str]:
    clients = runner.clients
    return frozenset(client.id for client in (*clients.ready, *clients.spawning, *clients.running))


def _cast(options: Namespace, part: Part) -> Cast:
    return Cast(part, options.accounts, options.combos, tuple(options.spray.split(",")), SEED)


@events.quitting.add_listener  # type: ignore[untyped-decorator] # Locust's
def conclude(environment: Environment, **_: object) -> None:
    """The summary, and the exit code."""
    if isinstance(environment.runner, WorkerRunner):
        environment.process_exit_code = 0  # it has seen a part only; the process that has seen all judges
        return
    options = options_of(environment)
    rows = rows_of((entry.method, entry.name, entry.response_times) for entry in environment.stats.entries.values())
    bounds = Bounds(options.refused_percent_max / 100, options.p99_ms_max)
    verdict = judge(rows, bounds, _broken(environment))
    # Last of all: Locust's own tables come in between, and are longer than a screen.
    environment.events.quit.add_listener(lambda **_: print(f"\n{table(rows, verdict)}\n"))  # type: ignore[no-untyped-call] # Locust's
    if options.report:
        Path(options.report).write_text(json.dumps(report(rows, verdict), indent=1) + "\n")
    environment.process_exit_code = 0 if verdict.passed else 1


def _broken(environment: Environment) -> Iterator[str]:
    runner = environment.runner
    if runner is not None and runner.exceptions:
        yield f"{len(runner.exceptions)} kinds of errors in the users themselves, see above"
    if Worker.lost:
        yield f"{len(Worker.lost)} of {len(Worker.all)} workers were lost, with their part of the lists"


def options_of(environment: Environment) -> Namespace:
    """Those of the command line; of a worker, what the master was told, once users are there."""
    options: Namespace | None = environment.parsed_options
    if options is None:
        raise RuntimeError("this file is for the command `locust`")
    return options
