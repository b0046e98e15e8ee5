"""What helps where the owners' database fails, by the class or the code of its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import hazards

if TYPE_CHECKING:
    from sekisho.model.diagnosis import Diagnosis

MIGRATE: Final = "sekisho owners migrate"
QUERY: Final = "SEKISHO_OWNERS_QUERY=select id as account_id, email from users where username = :account"

_NOBODY: Final = "nothing listens at the host and port of SEKISHO_OWNERS"
_REFUSED: Final = "user or password in SEKISHO_OWNERS are wrong, or the server refuses this user from here"
_NOWHERE: Final = "there is no database of the name in SEKISHO_OWNERS"
_RIGHTS: Final = "the role in SEKISHO_OWNERS lacks a right: see docs/owners.md"
_CROWDED: Final = "it has as many connections as it takes: raise its limit, or run fewer workers"

REMEDIES: Final = {
    "ConnectionRefusedError": _NOBODY,
    "gaierror": "the host in SEKISHO_OWNERS has no address: is its name right, and does the resolver work?",
    "TimeoutError": "no answer came in time: is it overloaded, does a firewall drop, or is the port right?",
    "SSLCertVerificationError": "its certificate is not trusted here",
    "SQLITE_CANTOPEN": "its file cannot be opened: an absolute path has four slashes, and the folder must be there",
    "SQLITE_NOTADB": "the file in SEKISHO_OWNERS is no database of SQLite",
    "SQLITE_READONLY": "this user may not write to its file or folder",
    "SQLITE_FULL": "its disk is full",
    "SQLITE_BUSY": "another program holds its lock",
    "28P01": _REFUSED,
    "28000": _REFUSED,
    "3D000": _NOWHERE,
    "42501": _RIGHTS,
    "53300": _CROWDED,
    "1045": _REFUSED,
    "1044": _RIGHTS,
    "1142": _RIGHTS,
    "1049": _NOWHERE,
    "1040": _CROWDED,
    "2003": _NOBODY,
}
"""PostgreSQL's SQLSTATE, a number of MariaDB, a name of SQLite, or the class."""


def with_remedy(problem: str) -> str:
    """Return the database's problem as a text, with what helps appended if that is known."""
    remedy = REMEDIES.get(problem.rpartition(" ")[2])
    return f"{problem}: {remedy}" if remedy else problem


def diagnosed(problem: str) -> Diagnosis:
    """Return the diagnosis of a problem of the owners' database, with what helps and the line to write."""
    text = with_remedy(problem)
    return hazards.UNFIT_OWNERS.found(text if text.startswith("SEKISHO_") else f"SEKISHO_OWNERS: {text}", _line(text))


def _line(problem: str) -> str:
    """The line to write; empty where it is the hazard's own."""
    if MIGRATE in problem:
        return MIGRATE
    return QUERY if "SEKISHO_OWNERS_QUERY" in problem else ""
