"""Quart with Quart-Auth: a form, a cookie, a redirect."""

from __future__ import annotations

from quart import Quart, Response, redirect, request
from quart_auth import AuthUser, QuartAuth, current_user, login_required, login_user

app = Quart(__name__)
app.secret_key = "not a secret"
app.config["QUART_AUTH_COOKIE_SECURE"] = False  # loopback
QuartAuth(app)


@app.route("/login", methods=["POST"])
async def login() -> Response | tuple[str, int]:
    form = await request.form
    if (form["username"], form["password"]) != ("hana", "right"):
        return "<form method=post>wrong</form>", 200
    login_user(AuthUser("hana"))
    return redirect("/account")  # type: ignore[return-value]


@app.route("/me")
@login_required
async def me() -> str:
    return str(current_user.auth_id)
