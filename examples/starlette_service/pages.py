"""The two pages of the tea house. Whatever a member typed is escaped before it stands in one."""

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
.points { font-size: 2.5rem; font-weight: 700; line-height: 1.1; }
"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><main>{content}</main></body></html>"""


def _page(title: str, content: str) -> str:
    return _PAGE.format(title=title, style=_STYLE, content=content)


def login_page(*, username: str = "", failed: bool = False) -> str:
    # The same words for a wrong password and an unknown name: a page must not tell who is a member.
    alert = '<p role="alert">That user name and password do not belong together.</p>' if failed else ""
    return _page(
        "Log in · Hakone Tea House",
        f"""<h1>Hakone Tea House</h1><p>Members' points and orders</p>{alert}
<form method="post" action="/login">
<label for="username">User name</label>
<input id="username" name="username" value="{escape(username)}" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Log in</button></form>""",
    )


def account_page(username: str) -> str:
    return _page(
        "Your account · Hakone Tea House",
        f"""<h1>Welcome back</h1><p>{escape(username)}</p>
<div class="points">1,280</div><div>points to spend on tea</div>
<form method="post" action="/logout"><button>Log out</button></form>""",
    )
