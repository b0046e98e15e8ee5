"""Generate `docs/settings.md` from the table of settings."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from sekisho.settings import presets
from sekisho.settings.table import PREFIX, TABLE

if TYPE_CHECKING:
    from sekisho.settings.table import Setting

_HEAD = """\
# Settings

Every setting is an environment variable with the prefix `SEKISHO_`, or a keyword argument of `LoginGuard` in lower
case without the prefix: `SEKISHO_LIMIT_IP="30/10minute"` equals `LoginGuard(app, limit_ip="30/10minute")`. Keyword
arguments take precedence.

Settings are read once, at the start. Any unknown, empty, contradictory or invalid setting stops the start. The error
names each such variable, and never shows its value; for a misspelt name it suggests the nearest one. Variables that
Kubernetes sets for a Service named sekisho (`SEKISHO_PORT…`, `SEKISHO_SERVICE_…`) are ignored.

"""
_FILES = """\
These settings may also be read from files, as in `SEKISHO_SECRET_FILE=/run/secrets/sekisho`:
"""

_NOTATIONS = """\

## How doors are written

    METHOD PATH [ENCODING[:account[,secret[,new]]]]… [success=RULE|RULE…] [cookies=NAME,NAME…] [headers=NAME,NAME…]
        [account={NAME}/{FIELD}] [on_file=FIELD] [contact=FIELD] [first=name] [notice=address|payout]

Doors are separated by `;`. A door is a route where a client can try a secret; a route without a door is unguarded.

- `METHOD` is `POST`, `PUT` and so on; `*` (any) only with `basic`.
- `PATH` is the path that the application sees, such as `/login`, without a query or `%` escapes. Only with `basic` it
  may also be a prefix, `/files/*`, or everything, `*`. `{name}` stands for one whole segment:
  `/password-recovery/{email}`. (BlackSheep's own `/files/*` matches `/filesystem` too: write its route as
  `/files/{path:rest}`.)
- `ENCODING` is `form` (urlencoded and multipart), `multipart`, `json`, `path` (a segment of the path), `basic` (the
  `Authorization` header), `oauth2` (the password grant, with its fields `username` and `password`) or `graphql`.
- `account` and `secret` are names of fields: `username|email` if a request has one of two, `user.email` for nested
  JSON, `form:,code` if the session identifies the account. `new`, at `SIGNUP`, `RESET` and `CHANGE` doors, is the field
  of the new password, if it has a separate one; a request may omit it.
- `graphql:login(email,password)` is an operation of a GraphQL API and its arguments, `input.email` if they are in an
  input object. One path may have a door for each operation, of any kind:
  `SEKISHO_LOGIN="POST /graphql graphql:login(email,password) success=json:data.login.token"` and
  `SEKISHO_RESET="POST /graphql graphql:requestReset(email)"`. Other operations pass uncounted. The door also covers all
  paths below its own, because an application that is mounted there answers at them. A request that calls one
  of a door's operations holds nothing else: no second operation, alias or field beside it, and no array of requests,
  so each attempt is charged. Operations that are stored at the server and called by a hash, uploads, `query` in the
  address of a POST, and anything but JSON are refused at this path: the guard could not see what they call. It needs
  the package `graphql-core` (`.[graphql]`). `sekisho check` cannot try such a door.
- `basic` accepts only UTF-8. `basic:latin-1` is for an application that decodes the header as Latin-1 (ISO-8859-1),
  `basic:utf-8|latin-1` for one that falls back to Latin-1 if UTF-8 fails. Write the one that your application uses: if
  the guard reads another account than the application, it counts the wrong one and asks it for its factor. So
  `basic:latin-1` refuses UTF-8 beyond ASCII, and both refuse bytes that Windows-1252 reads differently (`€`). A door
  that Basic opens because a prefix covers it uses the charset of the nearest such prefix.
- A value in the path is named by its placeholder: `POST /password-recovery/{email} path:email`, or with the rest in
  the body `POST /reset/{key} path:,key form:,,password1`. A door that reads only its path reads no body, and may be a
  `GET`. `LOGIN` doors cannot use `path`. A placeholder that neither `path` nor `account=` names matches any value. If
  routers could disagree about the path (`//`, `..`, a second escape), the request is refused.
- `account={realm}/{username}` puts tenants before the account's name, where each has accounts of its own:
  `POST /realms/{realm}/login account={realm}/{username}`. Up to three parts precede the field's name: placeholders
  of the path, or fixed text (`account=main/{username}`). If one door has it, all doors that name an account need it,
  with the same number of parts. The account is then `shop/hana` for `SEKISHO_OWNERS_QUERY`, for a resolver, for
  `session_account` and in `sekisho unblock`. Without `account=`, `hana` is the same account for all values of the
  placeholder: right for `/{language}/login`, wrong for tenants.
  `sekisho check` does not try doors with placeholders, because it knows no value for them.
- If several doors share a path, only the method distinguishes them: `X-HTTP-Method-Override`, `_method` and other
  methods are refused there.
- `RULE` is one of these. If any of them matches, the answer is a success; no other answer is:
  - `302:/home`: a redirect to this page or below it, on the same host and without a query or fragment. A host and a
    query may be in the rule: `302:https://app.example/home?tab=` (`tab` may have any value).
  - `302!/accounts/2fa,/accounts/inactive`: a redirect to any other page, except below these or back to the door. For
    applications that answer a failure with a page, and a second step with a redirect.
  - `302`, `2xx`: a status alone.
  - `!401,403`: 2xx or 304, for `basic`. 401 and 403 are failures. Other answers, such as 404 or a redirect to a path
    with a slash, show nothing: they are given back to a secret that succeeded in the last hour, and charged otherwise.
  - `cookie:NAME`: the answer sets this cookie, to a value that the client did not have.
  - `json:access_token`: the JSON answer has this field, and its value does not mean *no*; `json:status=ok`: it has
    exactly this value.

  The first two do not accept a redirect to a page that the request itself names, in `Referer`, a query such as `next=`,
  a field or a cookie: if the application also sends failures there, the client would choose the outcome. If your
  application redirects users to the page that they wanted, write `cookie:`, or `302!`, which then also requires a new
  session cookie.
  Compressed answers are read (gzip, deflate; br and zstd with their packages), up to 64 KiB.
- `cookies`, only at `LOGIN` doors, names the client's cookies that the application needs for its answer, such as
  `csrftoken,lang`. If a factor is required, the application runs first and the guard holds its answer back. The
  application then sees these cookies and no others; otherwise it would log in an existing session of the client before
  the proof. Cookies whose values violate RFC 6265 (blanks, commas, quotes or backslashes inside) are left out, because
  parsers disagree about their ends.
- `headers`, only at `LOGIN` doors, does the same for headers, such as `x-tenant`. The application always sees
  `Content-*`, `Accept*`, `User-Agent`, `Host`, `Origin`, `Referer`, `Sec-Fetch-*`, the usual names of CSRF tokens,
  those of `Forwarded` and `X-Forwarded-…` that describe where a request arrived, and request ids. It does not see
  `Authorization`, users that a proxy has added (`X-Forwarded-User`), client certificates, or values that outer
  middleware has stored in the scope (`user`, `auth`, `session`, `state`) or in context variables.
- `on_file=FIELD`, only at `RESET` doors that ask for a reset, names the field of the address to which it is sent:
  `POST /forgot form:username on_file=send_to`, or the account's own field. The guard answers every such request itself,
  alike (202, `reset_requested`), and then runs the application only if `SEKISHO_OWNERS` has this address for this
  account. A request without that field is refused (400). It needs `SEKISHO_FACTORS`.
- `contact=FIELD`, only at `SIGNUP` doors, names the field of the mail address or telephone number: `POST /signup
  form:email,password contact=email`. The guard sends a code to it, with the same answer (401, `contact_required`) for
  every address, and runs the application only after the code. A request without that field is refused (400). It needs
  `SEKISHO_SMTP`, or `SEKISHO_CODE_WEBHOOK`, which gets the codes for texts without `@`, and all where no mail is sent.
- `first=name`, only at `LOGIN` doors with `success=`, is for a form that sends the name alone first, and then name and
  password to the same path: `POST /login form:username,password success=302:/home first=name`. Without it a request
  without the door's secret is refused (400). With it such a request passes uncounted, 120 in ten minutes from each
  address, if it has no field whose name resembles the secret's or is usual for one (`pwd`), no `Authorization` and no
  content coding. An answer to it that the rule takes for a success is withheld (400), and the log says so. So the rule
  must be one that the page for the password does not meet. Only the second request is a log-in: the application must
  take the name from it. If it holds the password alone, `session_account=` of `LoginGuard` has to tell the account;
  otherwise it is refused.
- `notice=address` or `notice=payout`, only at `CHANGE` and `LINK` doors, names what is changed there: the mail address,
  or the place that money is paid out to. After a success the owner is told of that, instead of a changed password.

Without an encoding, a door reads a form or JSON with `username|email` and `password`; a `CHANGE` door also reads
`new_password`, a `RESET` door reads no secret and `password` as the new one, a `CODE` door reads `code`.

Without a rule, the guard infers success with caution, and attempts with an unclear outcome stay counted.

Write a rule for `LINK` and `RESET` doors as well: with one, a PIN that was wrong at eight accounts within the hour is
refused (right ones are not counted), and a completed reset, whose request names the account and a token, makes the
device known.

With `SEKISHO_FACTORS`, a `LINK` door asks for a proof as a protected route does: of the account that is logged in, and
at most ten minutes old. The account in the request is the target; its owner is asked for nothing.

A `LOGOUT` door is written `METHOD PATH`, without fields; a request there is counted nowhere, and never refused for a
limit. After an answer below 400, the browser loses its note of the account and of the last proof, and step-ups that it
has begun end. It stays a known device: that opens nothing by itself, and without it an owner is asked for a proof at
every log-in, and stays out while strangers use up the account's limit. `POST /logout forget=device` makes it a
stranger's, for machines that many people use.

A `PASSKEY` door is written `METHOD PATH`, with `success=` if need be: `POST /login/passkey`. Requests there have a
passkey's answer in the field `credential`, of a form or as text in JSON, and name no account. The guard verifies it,
and the application runs only behind a right one: with the account in `passkey_account`, see
[step-up.md](step-up.md#a-log-in-that-begins-with-a-passkey). It needs `webauthn` in `SEKISHO_FACTORS`. Wrong ones are
counted by address, network and device. `sekisho check` has no passkey: it shows that the application lets nobody in
there without one, and no more.

## How protected routes are written

    METHOD PATH max_age=SECONDS [acr=CLASS] [page=PATH] [notice=address|payout [success=RULE]]

Routes are separated by `;`. `METHOD` is `POST`, `PUT` and so on, or `*` for any; `PATH` is exact, or a prefix,
`/payout/*`; `SECONDS` are 1 to 86400; `CLASS` is the weakest class of factor that counts, `phr`, `app` or `sent`. Paths
below `SEKISHO_MOUNT` and doors cannot be protected routes, but for `LINK` doors: written here as well, with the same
method and path, they have this age, class and page in the place of `max_age=600`.

With `page=/top-up`, a `GET` of that page asks for the proof beforehand, once it is older than half of `max_age`: nobody
loses a filled form. After the proof the browser goes on to the page that it asked for; other requests are repeated by
the client.

With `notice=address` or `notice=payout`, the owner is told of a changed mail address or payout account after a success
there. A success is any answer below 400, or what `RULE` says: the rules of doors by status, as in `success=303:/home`
for an application that answers mistakes with the form again and a status of 200.

## How caps are written

    METHOD PATH ENCODING:FIELD… SUM/PERIOD… [over=refuse|step_up]

Routes are separated by `;`; each is a route of `SEKISHO_PROTECT`, written with the same method and path. `ENCODING` is
`json`, `form` or `multipart`; `FIELD` holds the amount, `order.amount` for nested JSON. The amount is a whole number
of minor units in plain digits (yen, cents), as text or as a JSON number. Any other spelling, and two amounts, are
answered 400. `SUM` is in the same units; `PERIOD` is written as in limits, up to 31 days: `100000/1day 300000/30day`.
All caps of a route hold at once.

## How an OpenID Connect provider is written

    ISSUER client_id=ID [acr=CONTEXT]… [class=app|phr] [max_age=SECONDS] [name=NAME]

`ISSUER` is an https URL, exactly as the provider writes it in `ISSUER/.well-known/openid-configuration`. `acr` is an
authentication context to ask for, and may be repeated: a log-in at the provider counts only if it had one of them.
`class` is how a proof by this provider counts: `app`, or `phr` where `acr` stands for a log-in with a passkey there.
`max_age` is the oldest log-in at the provider that counts, 30 to 3600 seconds (300). `NAME` is what owners call the
provider, and goes to the end of the setting. Register `SEKISHO_PAGES_URL` + `/oidc/callback` there as redirect URI.

## What a step-up needs

- Any of `SEKISHO_FACTORS` needs `SEKISHO_OWNERS` and `SEKISHO_OWNERS_QUERY`, or a Python object instead of them.
  `sekisho owners migrate` creates the tables.
- `webauthn` needs `SEKISHO_PASSKEY_DOMAIN`; `email` needs `SEKISHO_SMTP`, which needs `SEKISHO_MAIL_FROM` and
  `SEKISHO_ACCOUNT_PAGE`; `webhook` needs `SEKISHO_CODE_WEBHOOK` and its key, or a Python callable.
- `oidc` needs `SEKISHO_OIDC`, `SEKISHO_OIDC_SECRET` and `SEKISHO_PAGES_URL`, and the extra `oidc`.
- `turnstile` and `hcaptcha` need `SEKISHO_CAPTCHA_SITEKEY`, `SEKISHO_CAPTCHA_SECRET` and `SEKISHO_CAPTCHA_HOSTS`.
- An error at the start names missing packages. `pip install '.[step-up,owners,mail]'` in a checkout installs all of
  them.

## How limits are written

Limits use the notation of the [`limits`](https://limits.readthedocs.io) package: `20/10minute;100/day` means twenty in
ten minutes and a hundred a day. Each setting has at most four limits, each of at most a million in at most 31 days. A
limit may be used up at once; it refills evenly over its period.
"""


_PRESETS = """\

## Presets

`SEKISHO_PRESET` gives settings other values than their defaults. A variable that is set takes
precedence over the preset. `sekisho settings` shows where each value came from.

"""


def _table() -> str:
    """The table of the settings that this version supports."""
    rows = [_row(setting) for setting in TABLE]
    return "\n".join(["| name | example | default | meaning |", "|---|---|---|---|", *rows, ""])


def markdown() -> str:
    """The whole of `docs/settings.md`."""
    return _HEAD + _files() + _table() + _PRESETS + "\n".join(presets.rows()) + "\n" + _NOTATIONS


def _files() -> str:
    names = [f"`{setting.variable}`" for setting in TABLE if setting.secret]
    return _FILES + fill(f"{', '.join(names[:-1])} and {names[-1]}.", 120) + "\n\n"


def _row(setting: Setting[object]) -> str:
    example = setting.example if "`" in setting.example else f"`{setting.example}`"
    default = "–" if setting.default is None else f"`{setting.default}`"
    cells = (f"`{PREFIX}{setting.name}`", example, default, setting.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
