"""The database of owners and their factors: its tables, lost factors, and new secrets.

All commands read SEKISHO_OWNERS and SEKISHO_OWNERS_QUERY, as the service does:

  sekisho owners migrate          once, and after an update, by a role that may create tables
  sekisho owners check            check the tables and the query
  sekisho owners reset NAME       remove lost factors after a day, unless the owner cancels it
  sekisho owners rewrap           after a new SEKISHO_SECRET was put in front of the old one
"""

from __future__ import annotations

from sekisho.cli import Command

__all__ = ["COMMANDS"]

COMMANDS = {
    "migrate": Command("create the tables, or bring them up to this version", extra="owners"),
    "check": Command("check the tables and the query", extra="owners"),
    "reset": Command("remove the factors of an account after a day, or cancel that", extra="owners,step-up"),
    "rewrap": Command("seal all enrolments and addresses with the newest secret", extra="owners,step-up"),
}
