"""The pages of the tea house. All text from members is escaped."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #23302b; --paper: #f4f1ea; --card: #fff; --line: #d9d4c7; --leaf: #2f6b4f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9e6dd; --paper: #171c1a; --card: #202725; --line: #37403c; --leaf: #7cc4a0; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; color: var(--ink);
  background: var(--paper); font: 16px/1.6 system-ui, sans-serif; }
main { width: min(24rem, 100%); padding: 2.25rem; border: 1px solid var(--line); border-radius: 1rem;
  background: var(--card); }
h1 { margin: 0; font-size: 1.35rem; letter-spacing: .01em; }
h1 + p { margin: .25rem 0 1.5rem; opacity: .75; }
label { display: block; margin: 1rem 0 .35rem; font-size: .9rem; font-weight: 600; }
input { width: 100%; padding: .65rem .8rem; border: 1px solid var(--line); border-radius: .6rem; font: inherit;
  color: inherit; background: transparent; }
button { width: 100%; margin-top: 1.5rem; padding: .75rem; border: 0; border-radius: .6rem; font: inherit;
  font-weight: 600; color: var(--card); background: var(--leaf); cursor: pointer; }
:focus-visible { outline: 3px solid var(--leaf); outline-offset: 2px; }
[role=alert] { margin: 0 0 1rem; padding: .65rem .8rem; border-left: 4px solid #b4493a; border-radius: .3rem;
  background: #b4493a1f; }
a { color: var(--leaf); }
.points { font-size: 2.5rem; font-weight: 700; line-height: 1.1; }
"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><main>{content}</main></body></html>"""


def _page(title: str, content: str) -> str:
    return _PAGE.format(title=title, style=_STYLE, content=content)


def _form(action: str, button: str, *fields: str) -> str:
    return f'<form method="post" action="{action}">{"".join(fields)}<button>{button}</button></form>'


def _username(value: str, attributes: str) -> str:
    return f"""<label for="username">User name</label>
<input id="username" name="username" value="{escape(value)}" autocomplete="username" required {attributes}>"""


def _password(name: str, label: str, kind: str) -> str:
    return f"""<label for="{name}">{label}</label>
<input id="{name}" name="{name}" type="password" autocomplete="{kind}-password" required>"""


def _alert(text: str) -> str:
    return f'<p role="alert">{text}</p>'


def login_page(*, username: str = "", failed: bool = False) -> str:
    # The same text for a wrong password and an unknown name: the page must not reveal members to attackers.
    alert = _alert("That user name and password do not belong together.") if failed else ""
    form = _form("/login", "Log in", _username(username, "autofocus"), _password("password", "Password", "current"))
    return _page(
        "Log in · Hakone Tea House",
        f"""<h1>Hakone Tea House</h1><p>Members' points and orders</p>{alert}{form}
<p><a href="/signup">Become a member</a></p>""",
    )


def signup_page(*, username: str = "", failed: bool = False) -> str:
    # User names are public here, so this page may say that one is taken. A service with e-mail addresses shows the same
    # page to all clients, and sends the rest by mail.
    alert = _alert("This user name is not to be had. Please choose another one.") if failed else ""
    form = _form("/signup", "Sign up", _username(username, "autofocus"), _password("password", "Password", "new"))
    return _page(
        "Sign up · Hakone Tea House", f"<h1>Become a member</h1><p>Collect points with every order</p>{alert}{form}"
    )


def password_page(username: str, *, failed: bool = False) -> str:
    alert = _alert("The password was not changed: the old one is not yours.") if failed else ""
    form = _form(
        "/password",
        "Change it",
        _username(username, "readonly"),
        _password("old_password", "Old password", "current"),
        _password("new_password", "New password", "new"),
    )
    return _page(
        "Change your password · Hakone Tea House",
        f"<h1>Change your password</h1><p>You will be logged out everywhere else</p>{alert}{form}",
    )


def account_page(username: str) -> str:
    return _page(
        "Your account · Hakone Tea House",
        f"""<h1>Welcome back</h1><p>{escape(username)}</p>
<div class="points">1,280</div><div>points to spend on tea</div>
<p><a href="/password">Change your password</a></p>
{_form("/logout", "Log out")}""",
    )


def notice_page(title: str, text: str) -> str:
    return _page(f"{title} · Hakone Tea House", f"<h1>{title}</h1><p>{text}</p>")
