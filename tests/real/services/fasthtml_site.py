"""FastHTML with a session and a `Beforeware`, as its example for advanced applications writes them."""

# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator,no-any-unimported"

from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from fasthtml.common import Beforeware, Button, FastHTML, Form, Input, RedirectResponse, Titled
from starlette.requests import Request


def to_login() -> RedirectResponse:
    return RedirectResponse("/login", status_code=303)


def before(req: Request) -> RedirectResponse | None:
    req.scope["auth"] = req.session.get("auth")
    return None if req.scope["auth"] else to_login()


app = FastHTML(before=Beforeware(before, skip=["/login"]), secret_key="not a secret")


@dataclass
class Login:
    name: str
    pwd: str


@app.get("/login")
def page() -> Any:
    form = Form(action="/login", method="post")(Input(id="name"), Input(id="pwd", type="password"), Button("login"))
    return Titled("Login", form)


@app.post("/login")
def log_in(login: Login, req: Request) -> RedirectResponse:
    if login.name != "hana" or not compare_digest(login.pwd.encode(), b"right"):
        return to_login()
    req.session["auth"] = login.name
    return RedirectResponse("/", status_code=303)


@app.get("/")
def home(req: Request) -> str:
    return f"welcome {req.scope['auth']}"
