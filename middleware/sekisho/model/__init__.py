"""The frozen values that flow from a request to an answer. No behaviour and no I/O."""

from __future__ import annotations

from sekisho.model.attempt import Attempt, Credentials, Origin
from sekisho.model.breach import PREVALENCE_MAX, UNKNOWN, Exposure, Pair, prevalence
from sekisho.model.cap import Cap, CappedRoute, OverCap
from sekisho.model.count import Charge, Charged, Effect, Ledger, Marked, Spread, Tagged, Verdict
from sekisho.model.decision import Action, Basis, Decision, Finding, Mode, Outcome
from sekisho.model.device_class import DEVICE_CLASS
from sekisho.model.door import Charset, Door, DoorKind, Encoding, Fields, Path, ProtectedRoute, SuccessBy, SuccessRule
from sekisho.model.errors import (
    PasswordsBusy,
    SekishoError,
    SessionUnread,
    SettingsError,
    StoreRefuses,
    StoreUnavailable,
    Unreadable,
)
from sekisho.model.factor_class import CLASS_OF, FactorClass
from sekisho.model.history import History
from sekisho.model.limit import SITE_NETWORKS, DayLimits, Limit, Limits, LimitSet
from sekisho.model.posture import AskedFrom, Nearby, Posture, StrangerOutcome, ToldOutcome
from sekisho.model.signals import Device, Policy, Signals

__all__ = [
    "CLASS_OF",
    "DEVICE_CLASS",
    "PREVALENCE_MAX",
    "SITE_NETWORKS",
    "UNKNOWN",
    "Action",
    "AskedFrom",
    "Attempt",
    "Basis",
    "Cap",
    "CappedRoute",
    "Charge",
    "Charged",
    "Charset",
    "Credentials",
    "DayLimits",
    "Decision",
    "Device",
    "Door",
    "DoorKind",
    "Effect",
    "Encoding",
    "Exposure",
    "FactorClass",
    "Fields",
    "Finding",
    "History",
    "Ledger",
    "Limit",
    "LimitSet",
    "Limits",
    "Marked",
    "Mode",
    "Nearby",
    "Origin",
    "Outcome",
    "OverCap",
    "Pair",
    "PasswordsBusy",
    "Path",
    "Policy",
    "Posture",
    "ProtectedRoute",
    "SekishoError",
    "SessionUnread",
    "SettingsError",
    "Signals",
    "Spread",
    "StoreRefuses",
    "StoreUnavailable",
    "StrangerOutcome",
    "SuccessBy",
    "SuccessRule",
    "Tagged",
    "ToldOutcome",
    "Unreadable",
    "Verdict",
    "prevalence",
]
