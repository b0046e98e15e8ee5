"""Read requests and answers into values: the door, the caller, the account, the secret, the outcome.

Pure: everything here is a function of a scope, headers and bytes. Ambiguous input is refused with `Unreadable`, never
passed on. No input raises any other exception. The order of use:

    door = doors.find(scope)                            # None: the request is at no door
    caller = callers.read(scope, named)                 # origin and digests: enough to shed, before the body is read
    credentials = read_credentials(door, scope, body)   # None: the request is no attempt
    canonical = accounts.canonical(credentials.account)
    charge = digests.charge(attempt, origin=caller.digests)
    outcome = from_start(door, status, headers, scope, sent) or from_body(door, status, body, headers, scope, sent)
"""

from __future__ import annotations

from sekisho.read.account import Accounts, MailPolicy, Resolver, canonical
from sekisho.read.address import Addresses, Networks, contains, denies, is_rewritten, packed_address
from sekisho.read.amount import read_amount
from sekisho.read.basic import is_basic
from sekisho.read.body import Body, declared_too_large, decoded
from sekisho.read.caller import Caller, Callers
from sekisho.read.digest import Digests, OriginDigests
from sekisho.read.doors import Doors
from sekisho.read.exposed import exposed
from sekisho.read.fields import read_credentials
from sekisho.read.graphql import read_operation
from sekisho.read.outcome import (
    ANSWER_BYTES_MAX,
    BEFORE_THE_SECRET,
    from_body,
    from_start,
    is_own_method,
    unpacked,
    why_unknown,
)
from sekisho.read.response.suggest import RuleSuggester
from sekisho.read.response.tree import json_tree
from sekisho.read.session import (
    Presented,
    SessionCredentials,
    credentials_set,
    credentials_shown,
    keeps_session,
    other_session,
)

__all__ = [
    "ANSWER_BYTES_MAX",
    "BEFORE_THE_SECRET",
    "Accounts",
    "Addresses",
    "Body",
    "Caller",
    "Callers",
    "Digests",
    "Doors",
    "MailPolicy",
    "Networks",
    "OriginDigests",
    "Presented",
    "Resolver",
    "RuleSuggester",
    "SessionCredentials",
    "canonical",
    "contains",
    "credentials_set",
    "credentials_shown",
    "declared_too_large",
    "decoded",
    "denies",
    "exposed",
    "from_body",
    "from_start",
    "is_basic",
    "is_own_method",
    "is_rewritten",
    "json_tree",
    "keeps_session",
    "other_session",
    "packed_address",
    "read_amount",
    "read_credentials",
    "read_operation",
    "unpacked",
    "why_unknown",
]
