"""Generate `docs/settings.md` from the table of settings."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from sekisho.settings.table import PREFIX, TABLE

if TYPE_CHECKING:
    from sekisho.settings.table import Setting

_HEAD = """\
# Settings

Every setting is an environment variable that begins with `SEKISHO_`, or a keyword argument of `LoginGuard` in lower
case without that: `SEKISHO_LIMIT_IP="30/10minute"` is `LoginGuard(app, limit_ip="30/10minute")`. Keyword arguments win.

Settings are read once, at start. Whatever is unknown, empty, contradictory or not understood stops the start with an
error that names each such variable, and never shows what was in it. A misspelt name is answered with the nearest one.
What Kubernetes sets for a Service called sekisho (`SEKISHO_PORT…`, `SEKISHO_SERVICE_…`) is ignored.

"""
_FILES = """\
These may be kept in files, as in `SEKISHO_SECRET_FILE=/run/secrets/sekisho`:
"""

_NOTATIONS = """\

## How doors are written

    METHOD PATH [ENCODING[:account[,secret[,new]]]]… [success=RULE|RULE…] [cookies=NAME,NAME…] [headers=NAME,NAME…]

Doors are separated by `;`. A door is a route where somebody can try a secret: every one that is left out stays open.

- `METHOD` is `POST`, `PUT` and so on; `*` (any) with `basic` alone.
- `PATH` is what the application sees, such as `/login`: no query, no `%` escapes. With `basic` alone it may also be a
  prefix, `/files/*`, or everything, `*`. `{name}` stands for one whole step: `/password-recovery/{email}`.
  (BlackSheep's own `/files/*` takes `/filesystem` too: write its route as `/files/{path:rest}`.)
- `ENCODING` is `form` (urlencoded and multipart), `multipart`, `json`, `path` (a step of the path), `basic` (the
  `Authorization` header) or `oauth2` (the password grant, with its fields `username` and `password`).
- `account` and `secret` are names of fields: `username|email` where a request holds one of two, `user.email` where
  JSON is nested, `form:,code` where the session already says whose account it is. `new`, at `SIGNUP`, `RESET` and
  `CHANGE` doors, is the password that is chosen, where that has a field of its own; it may be missing from a request.
- `basic` is UTF-8, and anything else is refused. `basic:latin-1` is for an application that decodes the header as
  Latin-1 (ISO-8859-1), `basic:utf-8|latin-1` for one that takes Latin-1 where UTF-8 fails. Write what yours does: where
  the guard reads another account than the application, the wrong one is counted and asked for its factor. So
  `basic:latin-1` refuses what is UTF-8 beyond ASCII, and both refuse bytes that Windows-1252 reads differently (`€`).
  A door that Basic opens because a prefix covers it reads the charset of the nearest such prefix.
- What stands in the path is named by its placeholder: `POST /password-recovery/{email} path:email`, or with the rest in
  the body `POST /reset/{key} path:,key form:,,password1`. A door that reads its path alone reads no body, and may be a
  `GET`. Not at `LOGIN` doors. A placeholder that `path` does not name may hold anything. Where routers could disagree
  about the path (`//`, `..`, a second escape), the request is refused.
- Where several doors share a path, the method alone tells them apart: `X-HTTP-Method-Override`, `_method` and other
  methods are refused there.
- `RULE` is one of these; any one that holds is success, and no other answer is:
  - `302:/home`: a redirect to this page or below it, on the same host and without a query or fragment. A host and a
    query may be in the rule: `302:https://app.example/home?tab=` (`tab` may have any value).
  - `302!/accounts/2fa,/accounts/inactive`: a redirect to anywhere but there, below or back to the door. For
    applications that answer a failure with a page, and a second step with a redirect.
  - `302`, `2xx`: a status alone.
  - `!401,403`: any status but these, for `basic`. Errors of the server, 400, 405 and 429 are no success either: nobody
    may have looked at the secret.
  - `cookie:NAME`: it is set, to a value that the client did not have.
  - `json:access_token`: the JSON answer has it, and it does not say *no*; `json:status=ok`: it is just that.

  A redirect to a page that the request itself names, in `Referer`, a query such as `next=`, a field or a cookie, is not
  believed by the first two: an application that sends failures back there would let the client choose. Where yours
  sends people on to where they wanted to go, write `cookie:`, or `302!`, which then also wants a new session cookie.
  Compressed answers are read (gzip, deflate; br and zstd with their packages), up to 64 KiB.
- `cookies`, at `LOGIN` doors alone, names cookies of the client that the application needs to answer, such as
  `csrftoken,lang`. Where a factor is asked for, the application runs first and its answer is kept back; it sees these
  cookies and no other, or a session that the client holds already would be logged in behind the seal. A cookie whose
  value is not written as RFC 6265 has it (blanks, commas, quotes or backslashes inside) is left out: parsers differ in
  where it ends.
- `headers`, at `LOGIN` doors alone, does the same for headers, such as `x-tenant`. Without being named the application
  sees `Content-*`, `Accept*`, `User-Agent`, `Host`, `Origin`, `Referer`, `Sec-Fetch-*`, the usual names of CSRF tokens,
  `Forwarded` and `X-Forwarded-…` as far as they say where a request came in, and request ids. It does not see
  `Authorization`, users that a proxy has put in (`X-Forwarded-User`), client certificates, nor what outer middleware
  has stored in the scope (`user`, `auth`, `session`, `state`) or in context variables.

Without an encoding a door reads a form or JSON with `username|email` and `password`; a `CHANGE` door reads
`new_password` as well, a `RESET` door no secret but `password` as the new one, a `CODE` door reads `code`.

Without a rule, success is guessed with caution, and what is unclear stays counted.

## How protected routes are written

    METHOD PATH max_age=SECONDS

Routes are separated by `;`. `METHOD` is `POST`, `PUT` and so on, or `*` for any; `PATH` is exact, or a prefix,
`/payout/*`; `SECONDS` are 1 to 86400. No door may be among them, and nothing below `SEKISHO_MOUNT`.

## What a step-up needs

- Any of `SEKISHO_FACTORS` needs `SEKISHO_OWNERS` and `SEKISHO_OWNERS_QUERY`, or a Python object in their place.
  `sekisho owners migrate` makes the tables.
- `webauthn` needs `SEKISHO_PASSKEY_DOMAIN`; `email` needs `SEKISHO_SMTP`, and that `SEKISHO_MAIL_FROM` and
  `SEKISHO_ACCOUNT_PAGE`; `webhook` needs `SEKISHO_CODE_WEBHOOK` and its key, or a Python callable.
- `turnstile` and `hcaptcha` need `SEKISHO_CAPTCHA_SITEKEY`, `SEKISHO_CAPTCHA_SECRET` and `SEKISHO_CAPTCHA_HOSTS`.
- What is not installed is named at start: `pip install '.[step-up,owners,mail]'`
  in a checkout brings all of it.

## How limits are written

In the notation of the [`limits`](https://limits.readthedocs.io) package: `20/10minute;100/day` is twenty in ten minutes
and a hundred a day. At most four for each dimension, each of at most a million in at most 31 days. All of a limit may
be used at once; what was used comes back evenly over the period.

## Not in this version

These names are kept for what they will mean. Setting one is an error, not a promise.

"""


def _table() -> str:
    """The table of the settings that this version supports."""
    rows = [_row(setting) for setting in TABLE if not setting.reserved]
    return "\n".join(["| name | example | default | meaning |", "|---|---|---|---|", *rows, ""])


def markdown() -> str:
    """The whole of `docs/settings.md`."""
    reserved = [f"- `{PREFIX}{setting.name}`: {setting.meaning}" for setting in TABLE if setting.reserved]
    return _HEAD + _files() + _table() + _NOTATIONS + "\n".join([*reserved, ""])


def _files() -> str:
    names = [f"`{setting.variable}`" for setting in TABLE if setting.secret and not setting.reserved]
    return _FILES + fill(f"{', '.join(names[:-1])} and {names[-1]}.", 120) + "\n\n"


def _row(setting: Setting[object]) -> str:
    example = setting.example if "`" in setting.example else f"`{setting.example}`"
    default = "–" if setting.default is None else f"`{setting.default}`"
    cells = (f"`{PREFIX}{setting.name}`", example, default, setting.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
