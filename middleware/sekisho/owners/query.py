"""The service's own query for a contact: checked before it runs, read by the names of its columns.

By name, so that swapped columns do not mail a code to `ja`. Names are `email` and, optionally, `locale`, `account_id`
and `email_2` to `email_4`, further addresses for notices.

If a service treats `Alice` and `alice` as one account, only an account id makes both find the same factors. Without it,
codes sent and tried are counted by mailbox; otherwise each spelling would have its own five codes an hour. If a
database compares spellings as equal by default, a query without `account_id` is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sekisho.model import SettingsError
from sekisho.owners.dialects import dialect_of
from sekisho.owners.port import EMAIL_CHARS_MAX, Contact, OwnersUnfit, holdable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Row

QUERY = "SEKISHO_OWNERS_QUERY"
QUERY_CHARS_MAX = 4_096
_EXAMPLE = "select id as account_id, email from users where username = :account"
_FURTHER = ("email_2", "email_3", "email_4")
_OPTIONAL = {"locale", "account_id", *_FURTHER}
_NAMES = ["email", "account_id"]
SPELLINGS = (
    "SEKISHO_OWNERS_QUERY finds one account by several spellings and has no column `account_id`: what is enrolled "
    "under one is missing under the others; begin it with: select id as account_id, email"
)

UNNAMED = (
    "SEKISHO_OWNERS_QUERY has no column `account_id`, and this database takes `alice`, `ALICE` and `álice` for one "
    "name: what is enrolled under one would be missing under the others; begin it with: select id as account_id, email"
)
MIXED = (
    "SEKISHO_OWNERS_QUERY compares texts whose collations do not go together: write `collate` or `convert` beside one"
)
REFUSED = (
    "SEKISHO_OWNERS_QUERY is refused ({}): it names a table or a column that is not there, the role may not read it, "
    "or it is no SQL of this database. Try it in the database's own shell"
)

_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")  # as SQLAlchemy reads them
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_NO_MAILBOX = re.compile(r"[\s,;<>]")


def lookup(query: str) -> sa.TextClause:
    """Return the service's query, limited to two rows: enough to detect more than one.

    Raises `SettingsError` if the query is not a single select with `:account`. That only catches mistakes: an operator
    who sets the query can read the database anyway, and its transaction is read-only.
    """
    text = query.strip().removesuffix(";").rstrip()
    if problem := _problem(text):
        raise SettingsError(QUERY, f"{problem}, as in: {_EXAMPLE}")
    return sa.text(f"select * from ({text}) as asked limit 2")  # noqa: S608 - the operator's own SQL, from a setting


def spellings(account: str) -> tuple[str, str]:
    """Two other spellings of the account, equal if case is ignored. Other owners hardly have registered both."""
    half = len(account) // 2
    return account.swapcase(), account[:half] + account[half:].swapcase()


def contact_row(connection: Connection, query: sa.TextClause, account: str) -> Contact | None:
    """Run the query for an account, and return its owner's contact; None if there is no row.

    Raises `OwnersUnfit` for more than one row, or for columns other than `email`, `locale`, `account_id` and
    `email_2` to `email_4`.
    """
    names, rows = _run(connection, query, account)
    _check_names(names, exact=dialect_of(connection).exact)
    if len(rows) > 1:
        raise OwnersUnfit(f"{QUERY} found more than one row for an account: a factor must have one owner")
    return _contact(dict(zip(names, rows[0], strict=True)), account) if rows else None


def _run(connection: Connection, query: sa.TextClause, account: str) -> tuple[list[str], Sequence[Row[Any]]]:
    """The names of the columns, and the rows."""
    dialect = dialect_of(connection)
    try:
        result = connection.execute(query, {"account": account})
        return [name.lower() for name in result.keys()], result.all()  # noqa: SIM118 - of a result, not of a mapping
    except DBAPIError as error:
        code = dialect.code(error.orig) if error.orig else None
        if code not in dialect.foreign | dialect.doubled:
            raise
    if code in dialect.doubled:
        return ["email", "email"], ()
    if account.isascii():  # every character set includes ASCII: the query itself is wrong
        raise OwnersUnfit(MIXED)
    # The client typed text that the column cannot store: no row has it.
    return _NAMES, ()


def _problem(text: str) -> str:
    bare = _QUOTED.sub("''", text)
    if len(text) > QUERY_CHARS_MAX or not re.match(r"select\s", text, re.IGNORECASE):
        return f"is no select of at most {QUERY_CHARS_MAX} characters"
    if ";" in bare or "--" in bare or "/*" in bare or "\0" in text:
        return "wants one select, and no comment"
    if set(_PARAMETER.findall(text)) != {"account"}:
        return "wants `:account`, and no other parameter (write `cast(:account as citext)`, not `::`)"
    if len(_PARAMETER.findall(bare)) != len(_PARAMETER.findall(text)):
        return "has `:account` within quotes"
    return ""


def _check_names(names: Sequence[str], *, exact: bool) -> None:
    if not (len(set(names)) == len(names) and {"email"} <= set(names) <= {"email", *_OPTIONAL}):
        raise OwnersUnfit(
            f"{QUERY} wants the column `email` and, if need be, `locale`, `account_id` and `email_2` to `email_4`, "
            "each once; name them with `as`"
        )
    if not exact and "account_id" not in names:
        raise OwnersUnfit(UNNAMED)


def _contact(row: dict[str, object], account: str) -> Contact:
    locale = _text(row.get("locale"))
    return Contact(
        account_id=_id(row.get("account_id", account)),
        email=_mailbox(row["email"]),
        locale=locale if locale is not None and _LOCALE.fullmatch(locale) else None,
        spelled="account_id" not in row,
        others=tuple(other for name in _FURTHER if (other := _mailbox(row.get(name))) is not None),
    )


def _mailbox(value: object) -> str | None:
    """The address, if it is a usable one."""
    email = _text(value)
    return email if email is not None and _is_mailbox(email) else None


def _text(value: object) -> str | None:
    if not (value is None or isinstance(value, str)):
        raise OwnersUnfit(f"{QUERY} wants text in the columns of addresses and in `locale`")
    return value


def _id(value: object) -> str:
    # Otherwise `True` would be the account 1.
    text = str(value) if isinstance(value, str | int | UUID) and not isinstance(value, bool) else ""
    if not holdable(text):
        raise OwnersUnfit(f"{QUERY} wants text, a whole number or a UUID in the column `account_id`, and no null")
    return text


def _is_mailbox(email: str) -> bool:
    # A line feed would inject headers, and a comma would add a second recipient.
    return (
        len(email) <= EMAIL_CHARS_MAX
        and email.isprintable()
        and not _NO_MAILBOX.search(email)
        and all(email.rpartition("@"))
    )
