"""Attempts at one door of each kind, for tests of what is chosen by the door."""

from __future__ import annotations

from sekisho.model import Attempt, Door, DoorKind, Origin
from sekisho.settings import parse_doors

ORIGIN = Origin("203.0.113.9", (b"a", b"n"), b"")


def door(kind: DoorKind, text: str) -> Door:
    """The door that this text of a setting describes."""
    (found,) = parse_doors(kind, text, "X")
    return found


LOGIN = door(DoorKind.LOGIN, "POST /login success=302:/home")
BASIC = door(DoorKind.LOGIN, "* /api/* basic")
CHANGE = door(DoorKind.CHANGE, "POST /password form:user,old,new")
SIGNUP = door(DoorKind.SIGNUP, "POST /signup form:email,password")
RESET = door(DoorKind.RESET, "POST /reset form:email")
CODE = door(DoorKind.CODE, "POST /code form:email,code")
LINK = door(DoorKind.LINK, "POST /link form:number,pin success=302:/linked")
GUESSED_LINK = door(DoorKind.LINK, "POST /link form:number,pin")


def attempt(at: Door, secret: str = "tried", account: str = "hana") -> Attempt:
    return Attempt(at, ORIGIN, account, account, secret)
