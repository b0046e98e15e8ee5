"""The wallet's pages. All text from members is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from .words import NAME, WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLE = """
:root { color-scheme: light dark; --ink: #14213d; --paper: #eef2f8; --card: #fff; --line: #cfd8e6; --wing: #1b4d9b;
  --on: #fff; --soft: #55617a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf7; --paper: #0e1524; --card: #182236; --line: #34425e; --wing: #9cc0ff; --on: #0e1524;
    --soft: #a9b6cf; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; color: var(--ink); background: var(--paper);
  font: 16px/1.6 system-ui, "Noto Sans JP", sans-serif; }
header { padding: 1rem 1.5rem; display: flex; gap: .6rem; align-items: center; font-weight: 700; }
header svg { width: 1.8rem; height: 1.8rem; fill: var(--wing); }
main { width: min(28rem, calc(100% - 2rem)); margin: 1rem auto 3rem; padding: 2rem; border-radius: 1.25rem;
  background: var(--card); border: 1px solid var(--line); }
h1 { margin: 0 0 1.25rem; font-size: 1.3rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1rem; }
label { display: block; margin: 1rem 0 .35rem; font-size: .9rem; font-weight: 600; }
input, select { width: 100%; min-height: 2.9rem; padding: .6rem .8rem; border: 1px solid var(--soft);
  border-radius: .7rem; font: inherit; color: inherit; background: transparent; }
button, .act { display: block; width: 100%; min-height: 2.9rem; margin-top: 1.5rem; padding: .65rem; border: 0;
  border-radius: .7rem; font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
  color: var(--on); background: var(--wing); }
.acts { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
.acts .act { margin-top: 1rem; }
button.quiet { color: var(--wing); background: transparent; border: 1px solid var(--line); }
.yen { font-size: 2.75rem; font-weight: 700; line-height: 1.1; margin: 0 0 .5rem; font-variant-numeric: tabular-nums; }
.soft { color: var(--soft); margin: 0; }
ul { margin: 0; padding: 0; list-style: none; }
li { display: flex; justify-content: space-between; padding: .6rem 0; border-top: 1px solid var(--line); }
nav { margin-top: 1.5rem; } nav a { display: block; padding: .5rem 0; }
a { color: var(--wing); }
:focus-visible { outline: 3px solid var(--wing); outline-offset: 2px; }
[role=alert] { margin: 0 0 1rem; padding: .65rem .8rem; border-left: 4px solid #b3402f; background: #b3402f1f; }
"""
_BIRD = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M1 4c6 1 9 4 11 7 3-2 6-2 11-2-4 1-6 3-8 5l4 8-8-6-7 3 5-5C8 9 5 6 1 4z"/></svg>'
)


class Look(NamedTuple):
    """A page's language; `alert` names the text that says why its form failed."""

    language: str
    alert: str = ""


# Hidden where the browser has no passkeys, and where nothing serves the script.
_PASSKEY = """<form method="post" action="/login/passkey" data-sekisho-passkey hidden>
<input type="hidden" name="credential"><button class="quiet">{button}</button><p role="alert" hidden>{failed}</p></form>
<script type="module" src="/sekisho/passkey.js"></script>"""


def _page(look: Look, title: str, content: str) -> str:
    language, alert = look.language, look.alert
    name = NAME[language]
    shown = f'<p role="alert">{WORDS[language][alert]}</p>' if alert else ""
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · {name}</title><style>{_STYLE}</style></head>
<body><header>{_BIRD}<span>{name}</span></header><main><h1>{title}</h1>{shown}{content}</main></body></html>"""


def _field(name: str, label: str, *, value: str = "", kind: str = "text", more: str = "required") -> str:
    shown = f' value="{escape(value)}"' if value else ""
    return f'<label for="{name}">{label}</label><input id="{name}" name="{name}" type="{kind}"{shown} {more}>'


def _form(action: str, button: str, *fields: str, quiet: bool = False) -> str:
    style = ' class="quiet"' if quiet else ""
    return f'<form method="post" action="{action}">{"".join(fields)}<button{style}>{button}</button></form>'


def _back(words: dict[str, str]) -> str:
    return f'<nav><a href="/home">{words["back"]}</a></nav>'


def login_page(look: Look, email: str = "") -> str:
    # The same text for a wrong password and an unknown address: the page must not reveal members to attackers.
    words = WORDS[look.language]
    content = _form(
        "/login", words["log_in"],
        _field("email", words["email"], value=email, kind="email", more='required autocomplete="username webauthn"'),
        _field("password", words["password"], kind="password", more='required autocomplete="current-password"'),
    )  # fmt: skip
    content += _PASSKEY.format(button=words["passkey"], failed=words["failed_passkey"])
    links = f'<nav><a href="/reset">{words["reset"]}</a><a href="/signup">{words["sign_up"]}</a></nav>'
    return _page(look, words["log_in"], f'<p class="soft">{words["tagline"]}</p>{content}{links}')


def signup_page(look: Look, email: str = "") -> str:
    words = WORDS[look.language]
    content = _form(
        "/signup", words["sign_up"],
        _field("email", words["email"], value=email, kind="email", more='required autocomplete="username"'),
        _field("password", words["password"], kind="password", more='required autocomplete="new-password"'),
    )  # fmt: skip
    return _page(look, words["sign_up"], content)


def reset_page(look: Look) -> str:
    words = WORDS[look.language]
    content = _form(
        "/reset", words["send"],
        _field("email", words["email"], kind="email", more='required autocomplete="username"'),
        _field("birthday", words["birthday"], more='required placeholder="2000-01-31" autocomplete="bday"'),
        _field("send_to", words["send_to"], kind="email"),
    )  # fmt: skip
    return _page(look, words["reset"], content)


def confirm_page(look: Look, token: str) -> str:
    words = WORDS[look.language]
    content = _form(
        "/reset/confirm", words["change"],
        f'<input type="hidden" name="token" value="{escape(token)}">',
        _field("password", words["new_password"], kind="password", more='required autocomplete="new-password"'),
    )  # fmt: skip
    return _page(look, words["change"], content)


def notice_page(look: Look, name: str) -> str:
    words = WORDS[look.language]
    return _page(look, NAME[look.language], f"<p>{words[name]}</p>{_back(words)}")


def home_page(
    look: Look,
    email: str,
    balance: int,
    linked: Sequence[str],
    moves: Sequence[tuple[str, str, int]],
    previous: str = "",
) -> str:
    """The member's own page. `previous`: the log-in before this one; empty if it is not known."""
    words = WORDS[look.language]
    kinds = {"top-up": words["top_up"], "payout": words["pay_out"]}
    shown = [f"<li><span>{kinds[kind]} · {number}</span><b>¥{amount:,}</b></li>" for kind, number, amount in moves]
    bank = [f"<li><span>{number}</span></li>" for number in linked]
    before = f'<p class="soft">{words["previous"]}: {escape(previous)}</p>' if previous else ""
    none = f'<li class="soft">{words["none"]}</li>'
    acts = f'<a class="act" href="/top-up">{words["top_up"]}</a><a class="act" href="/payout">{words["pay_out"]}</a>'
    return _page(
        look,
        NAME[look.language],
        f'<p class="soft">{words["balance"]}</p><p class="yen">¥{balance:,}</p><p class="soft">{escape(email)}</p>'
        f"{before}"
        f'<div class="acts">{acts}</div>'
        f"<h2>{words['linked']}</h2><ul>{''.join(bank) or none}</ul>"
        f"<h2>{words['moves']}</h2><ul>{''.join(shown) or none}</ul>"
        f'<nav><a href="/link">{words["link"]}</a><a href="/password">{words["change"]}</a></nav>'
        + _form("/logout", words["log_out"], quiet=True),
    )


def link_page(look: Look) -> str:
    words = WORDS[look.language]
    content = _form(
        "/link", words["link"],
        _field("number", words["number"], more='required inputmode="numeric" maxlength="7"'),
        _field("pin", words["pin"], kind="password", more='required inputmode="numeric" maxlength="4"'),
    )  # fmt: skip
    return _page(look, words["link"], content + _back(words))


def money_page(look: Look, action: str, linked: Sequence[str]) -> str:
    """The form to top up, from a linked account, or to pay out, to any."""
    words = WORDS[look.language]
    title = words["top_up"] if action == "/top-up" else words["pay_out"]
    options = "".join(f"<option>{number}</option>" for number in linked)
    source = f'<label for="number">{words["from"]}</label><select id="number" name="number">{options}</select>'
    target = _field("number", words["to"], more='required inputmode="numeric" maxlength="7"')
    amount = _field("amount", words["amount"], more='required inputmode="numeric" pattern="[1-9][0-9]*"')
    return _page(look, title, _form(action, title, source if action == "/top-up" else target, amount) + _back(words))


def password_page(look: Look, email: str) -> str:
    words = WORDS[look.language]
    content = _form(
        "/password", words["change"],
        f'<input type="hidden" name="email" value="{escape(email)}">',
        _field("old_password", words["old_password"], kind="password", more='required autocomplete="current-password"'),
        _field("new_password", words["new_password"], kind="password", more='required autocomplete="new-password"'),
    )  # fmt: skip
    return _page(look, words["change"], content + _back(words))
