"""`sekisho check` tries the doors of an application and reports on them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from sekisho.cli import FAILED, MISUSED, main

if TYPE_CHECKING:
    from pathlib import Path

SHOP = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route
from sekisho import LoginGuard

async def login(request):
    form = await request.form()
    assert request.app.state.open
    right = (form["username"], form["password"]) == ("hana", "correct horse")
    response = RedirectResponse("/home" if right else "/login", 303)
    response.set_cookie("session", "s", httponly=True, secure=True)
    return response

def front(_):
    return PlainTextResponse("a shop")

def build(rule, path="/login"):
    app = Starlette(routes=[Route("/", front), Route("/login", login, methods=["POST"])])
    app.state.open = True
    door = f"POST {path} form:username,password{rule}"
    app.add_middleware(LoginGuard, secret=b"s3cret of a test that nobody uses!", login=door)
    return app

good, wrong, blind = build(" success=303:/home"), build(" success=cookie:session"), build(" success=303:/welcome")
guessed, missing = build(""), build("", "/logn")
unguarded = Starlette()
tenants = build("", "/{shop}/login")
side = build(" success=303:/home")
side.routes.extend(Route(path, front, methods=["POST"]) for path in ("/reset/{key}", "/api/token", "/logout"))

def make():
    return good

@asynccontextmanager
async def opened(_):
    yield {"limit": 8}

async def login_with_state(request):
    form = await request.form()
    return PlainTextResponse("", 401 if len(form["password"]) > request.state.limit else 204)

stateful = Starlette(routes=[Route("/login", login_with_state, methods=["POST"])], lifespan=opened)
forgetful = Starlette(routes=[Route("/login", login_with_state, methods=["POST"])])
for each in (stateful, forgetful):
    each.add_middleware(LoginGuard, secret=b"s3cret of a test that nobody uses!", login="POST /login success=204")
"""


def checked(folder: Path, *arguments: str, stdin: str = "hana\ncorrect horse\n") -> subprocess.CompletedProcess[str]:
    """Run the command in its own process (guards belong to one), in the application's folder."""
    (folder / "shop.py").write_text(SHOP)
    code = "import sys; from sekisho.cli import main; sys.exit(main(['check', *sys.argv[1:]]))"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("app", "code", "told"),
    [
        (
            "good",
            0,
            """\
            POST /login: the invented log-in failed, the right one succeeded
              invented: answered 303, failed by rule
              known: answered 303, succeeded by rule
            """,
        ),
        (
            "wrong",
            FAILED,
            """\
            POST /login: A LOG-IN THAT NOBODY HAS WAS BELIEVED [SEK075]
              invented: answered 303, succeeded by rule
              known: answered 303, succeeded by rule
              Write the door in SEKISHO_LOGIN as: POST /login form:username,password success=303:/home
            """,
        ),
        (
            "guessed",
            FAILED,
            """\
            POST /login: the invented log-in failed, the right one succeeded [SEK010]
              invented: answered 303, unknown by guess
              known: answered 303, succeeded by guess
              Write the door in SEKISHO_LOGIN as: POST /login form:username,password success=303:/home
            """,
        ),
        (
            "missing",
            FAILED,
            """\
            POST /logn: the application has no such route [SEK070]
              invented: answered 404, failed by guess
              known: answered 404, failed by guess
              Correct the method or the path in SEKISHO_LOGIN: the real one is open
            POST /login: the application has this route, and it is no door
              If it is a log-in, it is open. Add it to SEKISHO_LOGIN: POST /login form:ACCOUNT,SECRET
            """,
        ),
    ],
)
def test_each_door_is_told_with_the_line_to_write(app: str, code: int, told: str, tmp_path: Path) -> None:
    """Each door is reported with the line to write and an exit code, without account or password."""
    done = checked(tmp_path, "--app", f"shop:{app}", "--known")

    assert done.stdout == textwrap.dedent(told)
    assert done.returncode == code
    assert "hana" not in done.stdout + done.stderr
    assert "correct horse" not in done.stdout + done.stderr


def test_without_a_right_log_in_only_the_invented_one_is_tried(tmp_path: Path) -> None:
    """Without a right log-in only the invented one is tried, without a prompt; a factory is called; the result is
    JSON.
    """
    done = checked(tmp_path, "--app", "shop:make", "--factory", "--json", stdin="")

    (report,) = json.loads(done.stdout)
    assert report == {
        "door": "POST /login",
        "result": "held",
        "number": "",
        "advice": "",
        "invented": {"status": 303, "outcome": "failed", "basis": "rule"},
    }
    assert done.returncode == 0


WSGI = """
import os, time
from a2wsgi import WSGIMiddleware
from sekisho import LoginGuard


def shop(environ, start_response):
    time.sleep(0.05)
    start_response("401 Unauthorized", [])
    return [b"wrong"]


app = LoginGuard(WSGIMiddleware(shop), secret=os.urandom(32).hex(), store="memory://", challenges="none")
"""


def test_a_wsgi_application_ends_without_a_warning(tmp_path: Path) -> None:
    """The guard's own look for doors, which began with the application, is not cut off inside of a thread."""
    (tmp_path / "threaded.py").write_text(WSGI)
    done = checked(tmp_path, "--app", "threaded:app")

    assert "POST /login: the invented log-in failed" in done.stdout
    assert "RuntimeWarning" not in done.stderr


def test_a_log_in_is_tried_with_the_state_of_the_lifespan(tmp_path: Path) -> None:
    """A handler that reads what the lifespan has opened, such as a pool of connections, finds it in a trial too."""
    done = checked(tmp_path, "--app", "shop:stateful", stdin="")

    assert (done.stdout, done.returncode) == (
        "POST /login: the invented log-in failed\n  invented: answered 401, failed by rule\n",
        0,
    )


def test_where_the_application_failed_is_named(tmp_path: Path) -> None:
    """No server logs what a trial raises, so the report names the exception and the line of the application's code."""
    done = checked(tmp_path, "--app", "shop:forgetful", stdin="")

    line = 1 + (tmp_path / "shop.py").read_text().splitlines().index(
        '    return PlainTextResponse("", 401 if len(form["password"]) > request.state.limit else 204)'
    )
    assert done.stdout.splitlines()[-1] == f"  The application failed: AttributeError at shop.py:{line}"
    assert done.returncode == FAILED


def test_an_application_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """An application without a guard is reported, and nothing is tried."""
    done = checked(tmp_path, "--app", "shop:unguarded")

    assert done.returncode == FAILED
    assert done.stderr.splitlines()[-1].startswith("sekisho check: the application has no LoginGuard")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("textwrap:nothing", "--app cannot be imported: AttributeError"),
        ("nowhere:app", "--app cannot be imported: ModuleNotFoundError (run this in the application's folder)"),
        ("shop", "--app is not written MODULE:APP"),
    ],
)
def test_what_cannot_be_imported_is_said_in_a_line(app: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An application that cannot be imported is one line without a traceback."""
    assert main(["check", "--app", app]) == MISUSED
    assert capsys.readouterr().err == f"sekisho check: {said}\n"


def test_a_package_that_the_application_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service's own environment has packages that this one lacks."""
    (tmp_path / "needy.py").write_text("import not_installed_here\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert main(["check", "--app", "needy:app"]) == MISUSED
    assert "ModuleNotFoundError (it needs not_installed_here)\n" in capsys.readouterr().err


def test_a_right_log_in_is_never_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """A right log-in is never an argument, which every process of the machine could read."""
    with pytest.raises(SystemExit, match="2"):
        main(["check", "--app", "shop:good", "--known", "hana"])
    assert "hana" not in capsys.readouterr().err


def test_a_right_log_in_that_does_not_come_is_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A right log-in that is missing or half is an error, as it would prove nothing."""
    (tmp_path / "empty_shop.py").write_text("app = None")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hana\n")))

    assert main(["check", "--app", "empty_shop:app", "--known"]) == MISUSED
    assert capsys.readouterr().err.startswith("sekisho check: no password was given")


def test_a_door_that_cannot_be_tried_is_no_success(tmp_path: Path) -> None:
    """An operator whose only log-in is by GraphQL must not read silence as *all is well*."""
    found = checked(tmp_path, "--app", "shop:tenants", "--known")

    assert found.returncode == 2
    assert "the invented log-in" not in found.stdout
    assert "no door was tried" in found.stderr


def test_routes_that_look_like_doors_are_listed(tmp_path: Path) -> None:
    """A forgotten side door, and the log-in itself where its path is another. The exit code is that of doors."""
    done = checked(tmp_path, "--app", "shop:missing", stdin="")
    assert done.returncode == FAILED
    assert done.stdout.endswith(
        "POST /login: the application has this route, and it is no door\n"
        "  If it is a log-in, it is open. Add it to SEKISHO_LOGIN: POST /login form:ACCOUNT,SECRET\n"
    )

    done = checked(tmp_path, "--app", "shop:side", stdin="")
    assert done.returncode == 0
    assert done.stdout.splitlines()[2:] == [
        "POST /api/token: the application has this route, and it is no door",
        "  If it is a log-in, it is open. Add it to SEKISHO_LOGIN: POST /api/token form:ACCOUNT,SECRET",
        "POST /reset/{key}: the application has this route, and it is no door",
        "  If it is a reset, it is open. Add it to SEKISHO_RESET: POST /reset/{key} form:SECRET",
    ]
    told = json.loads(checked(tmp_path, "--app", "shop:side", "--json", stdin="").stdout)
    assert [(each["door"], each["result"]) for each in told] == [
        ("POST /login", "held"), ("POST /api/token", "unnamed"), ("POST /reset/{key}", "unnamed")
    ]  # fmt: skip
