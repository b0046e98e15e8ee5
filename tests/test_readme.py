"""The README and docs are right: commands exist, settings are known, code runs, links lead somewhere.

Newcomers start with these pages, and do not come back after an error.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sekisho import answer
from sekisho.settings import TABLE, load
from sekisho.wiring.checks import diagnoses_of
from tests.asgi.driving import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model.limit import Limits

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks" / "README.md",
    *sorted(DOCS.glob("*.md")),
]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(language: str, *pages: Path) -> list[str]:
    texts = [page.read_text("utf-8") for page in pages or (ROOT / "README.md",)]
    fenced = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [block for text in texts for block in fenced.findall(text)]


def prose(page: Path) -> str:
    """The page without code blocks, in which links are not links."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings as GitHub's anchors."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting except the secret that the README generates."""
    for name in [name for name in os.environ if name.startswith("SEKISHO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEKISHO_SECRET", "what openssl rand -hex 32 might print more or less")
    return monkeypatch


@each_page
def test_every_make_command_is_a_target(page: Path) -> None:
    """`make demo`, `make test` and all others that are named anywhere."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    # In code alone: in prose *make* is a word.
    code = re.findall(r"`[^`\n]+`|^```.*?^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    named = {target for each in code for target in re.findall(r"\bmake ([a-z]+)", each)}

    assert named <= targets
    assert page != ROOT / "README.md" or named


def test_the_two_commands_come_first() -> None:
    """The first code block has the two commands and nothing before them."""
    first = [line.partition("#")[0].split() for line in blocks("console")[0].splitlines()]

    assert first == [["make", "demo"], ["make", "test"]]


@each_page
def test_every_setting_that_is_named_exists(page: Path) -> None:
    """Every named setting exists. `SEKISHO_PORT…` stands for Kubernetes' own."""
    known = {setting.variable for setting in TABLE}
    known |= {setting.variable + "_FILE" for setting in TABLE if setting.secret}
    named = set(re.findall(r"\bSEKISHO_[A-Z_]+(?![A-Z_…])", page.read_text("utf-8")))

    assert named <= known


def test_the_settings_for_production_are_accepted(tmp_path: Path) -> None:
    """Production settings are accepted one by one and together, without other warnings than their own."""
    assert blocks("sh")[0] == blocks("sh", DOCS / "production.md")[0]
    lines = [line.partition("=") for line in blocks("sh")[0].splitlines()]
    environ = {name: value.strip('"') for name, _, value in lines}
    secret = tmp_path / "secret"
    secret.write_text("long enough and known to nobody but this test")
    assert Path(environ["SEKISHO_SECRET_FILE"]).is_absolute()

    settings = load({**environ, "SEKISHO_SECRET_FILE": str(secret)})

    assert [each.what.partition(":")[0] for each in diagnoses_of(settings)] == ["SEKISHO_MODE", "SEKISHO_NO_FACTOR"]


def test_the_readme_is_read_in_five_minutes() -> None:
    """The README is short; all else is in docs/, whose index has every page."""
    assert len(README.split()) <= 1_200
    index = (DOCS / "README.md").read_text("utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


def test_every_answer_in_the_table_is_one_that_is_given() -> None:
    """Status and code, as clients will depend on them."""
    page = (DOCS / "answers.md").read_text("utf-8")
    rows = re.findall(r"^\| .* \| ([\d, ]+)[^|]*\| `(\w+)` \|$", page, re.MULTILINE)
    told = {(int(status), code) for statuses, code in rows for status in re.findall(r"\d{3}", statuses)}

    given = [
        answer.too_many_attempts(1),
        answer.challenge_required(),
        answer.step_up_required(),
        answer.proof_failed(),
        answer.start_again(),
        answer.denied(),
        *[answer.unreadable_attempt(status) for status in (400, 408, 413, 415)],
        answer.breached_password(),
        answer.disposable_address(),
        answer.contact_required(),
        answer.reset_requested(),
        answer.cap_reached(),
        answer.unavailable(1),
        answer.misconfigured("why"),
    ]
    assert told == {(refusal.status, refusal.code) for refusal in given}


def test_every_reason_of_a_refusal_is_explained() -> None:
    """Each reason that the log can give stands in the page's tables, and no other: *why was I refused* ends there."""
    page = (DOCS / "answers.md").read_text("utf-8").partition("## Reasons in the log")[2]
    told = {word for row in re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)}
    code = "".join(path.read_text("utf-8") for path in (ROOT / "middleware/sekisho").rglob("*.py"))
    called = re.findall(r"(?:Unreadable\(4\d\d|Finding\([\w. ]+(?:if [\w. ]+ else [\w.]+)?|throttled\()([^\n]*)", code)
    given = {word for call in called for word in re.findall(r'"([\w{}]+)"', call)} | {"unproved_device", "cross_site"}
    kinds = "account", "secret"

    assert len(given) > 50
    assert told == {re.sub(r"{\w+}", kind, word) for word in given for kind in kinds}


@pytest.mark.parametrize("code", blocks("python", *PAGES), ids=lambda code: code.splitlines()[0])
def test_python_compiles(code: str) -> None:
    """Every Python block compiles by itself."""
    compile(code, "README.md", "exec")


@pytest.mark.parametrize(
    ("challenges", "own", "status", "code"),
    [("pow", 4, 401, "challenge_required"), ("none", 5, 429, "too_many_attempts")],
)
async def test_the_service_of_the_readme_is_guarded(
    environment: pytest.MonkeyPatch, challenges: str, own: int, status: int, code: str
) -> None:
    """Five wrong passwords get the service's own 401; the sixth, and the right one from elsewhere, have to wait.

    With the extra by work, from the fifth on: the address has only failed by then.
    """
    if challenges == "none":
        environment.setenv("SEKISHO_CHALLENGES", "none")  # what it comes to where the extra is not installed
    login = log_in_to(blocks("python")[0])

    answers = [await login("198.51.100.7", f"guess {n}") for n in range(6)]
    stranger = await login("203.0.113.9", "correct horse battery staple")

    assert [(answered.status_code, answered.text) for answered in answers[:own]] == [(401, "That was wrong.")] * own
    stopped = [(answered.status_code, answered.json()["code"]) for answered in (*answers[own:], stranger)]
    assert stopped == [(status, code)] * len(stopped)


@pytest.mark.parametrize("challenges", ["pow", "none"])
async def test_the_same_wrong_password_again_is_no_new_guess(environment: pytest.MonkeyPatch, challenges: str) -> None:
    """Repeating one wrong password is no new guess; the address has its twenty in ten minutes."""
    environment.setenv("SEKISHO_CHALLENGES", challenges)
    clock = Clock()
    environment.setattr("sekisho.wiring.LoginGuard._clocks", clock.clocks())
    login = log_in_to(blocks("python")[0])

    statuses = []
    for _ in range(20):
        statuses.append((await login("198.51.100.7", "the same")).status_code)
        clock.advance(3)

    assert statuses == [401] * 20
    assert "They have to be six *different* passwords" in README
    assert "which has twenty in ten minutes" in README


async def test_the_service_of_the_readme_lets_its_owner_in(environment: pytest.MonkeyPatch) -> None:
    """The owner gets the service's redirect and session, and the device cookie."""
    answered = await log_in_to(blocks("python")[0])("198.51.100.7", "correct horse battery staple")

    assert answered.status_code == 303
    assert [line.partition("=")[0] for line in answered.headers.get_list("set-cookie")] == ["session", "__Host-sekisho"]


def log_in_to(code: str) -> Callable[[str, str], Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec", dont_inherit=True), names)

    async def log_in(address: str, password: str) -> httpx.Response:
        transport = httpx.ASGITransport(names["app"], client=(address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.test") as client:
            return await client.post("/login", data={"username": "hana", "password": password})

    return log_in


def test_the_numbers_in_prose_are_the_defaults() -> None:
    """Numbers in prose (five guesses, ten attempts of a known device, 150 ms) are the defaults."""
    settings = load({}, {"secret": b"long enough and known to nobody but this test"})

    def burst(limits: Limits) -> int:
        return limits[0].burst

    assert (burst(settings.limits.account), burst(settings.limits.known_device)) == (5, 10)
    assert settings.store_deadline_us == 150_000
    assert "Five wrong passwords" in README
    assert "ten attempts an hour" in (DOCS / "success.md").read_text("utf-8")
    assert "waits 150 ms at most" in (DOCS / "production.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("example", "needs"),
    [
        ("starlette_service/protected.py", "pip install . uvicorn python-multipart"),
        ("starlette_service/app.py", "pip install . uvicorn python-multipart"),
        ("fastapi_service/app.py", "pip install . uvicorn fastapi"),
        ("plain_asgi/app.py", "pip install . uvicorn"),
        ("wallet/app.py", "pip install '.[demo]'"),
    ],
)
def test_examples_say_what_they_need(example: str, needs: str) -> None:
    """Each example installs its packages, and no client's header replaces the peer's address before the guard."""
    text = (ROOT / "examples" / example).read_text("utf-8").partition('"""\n\n')[0]

    assert f"    {needs}\n" in text
    assert re.search(r"^    .*uvicorn .*--no-proxy-headers", text, re.MULTILINE)


def test_the_load_test_is_installed_whole() -> None:
    """Locust alone is not enough: the file of the load test reads lists with numpy."""
    text = (DOCS / "loadtest.md").read_text("utf-8")
    assert text.index("pip install '.[loadtest]'") < text.index("locust -f")


def test_nobody_is_told_to_install_it_from_an_index() -> None:
    """No page installs from an index, where the name is unregistered: its first registrant could attack log-in
    services.
    """
    texts = [*PAGES, *sorted((ROOT / "middleware").rglob("*.py")), *sorted((ROOT / "examples").rglob("*.py"))]
    said = re.compile(r"pip install (?:-\w+ |--\w+ )*['\"]?sekisho\b")

    assert [str(path) for path in texts if said.search(path.read_text("utf-8"))] == []


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Links lead to files of this repository and headings of pages; other sites are not checked."""
    text = prose(page)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in [link for link in links if not re.match(r"https?://", link)]:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    """Named tests and examples exist, or a table of tests would be worthless."""
    named = re.findall(r"`((?:tests|examples|benchmarks|docs|middleware)/[\w./-]+)`", prose(page))

    assert [path for path in named if not (ROOT / path).exists()] == []
