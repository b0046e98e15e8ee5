"""One event in several dialects, each checked by the schema of its makers."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sekisho.audit.disclosure import Told
from sekisho.audit.forms import FORMS
from sekisho.audit.forms.templates import Templates
from sekisho.model import Basis, Device, Mode, Outcome
from sekisho.record import Event, HandleKey, Subject
from sekisho.record.lines import SUBJECT
from sekisho.settings.audit import AuditAddress, AuditFormat, AuditIdentity
from tests.audit.made import Audited
from tests.record.made import AT_US, FOUR, LOGIN, THROTTLED, attempt
from tests.record.test_events import told

SCHEMAS = Path(__file__).parents[1] / "schemas"
OCSF: dict[str, dict[str, Any]] = json.loads((SCHEMAS / "ocsf-1.3.0.json").read_text("utf-8"))
ECS: dict[str, Any] = json.loads((SCHEMAS / "ecs-8.11.json").read_text("utf-8"))
OWASP: dict[str, Any] = json.loads((SCHEMAS / "owasp-vocabulary.json").read_text("utf-8"))
OTHERS = [AuditFormat.OCSF, AuditFormat.ECS, AuditFormat.OWASP]
TYPES: dict[str, Any] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


def faults(found: Any, schema: dict[str, Any], at: str = "") -> list[str]:
    """How a value differs from a schema; see tests/schemas/README.md."""
    if type(found) is not TYPES[schema["type"]]:
        return [f"{at} is no {schema['type']}"]
    if found not in schema.get("enum", [found]):
        return [f"{at} is not one of the values"]
    if "pattern" in schema and not re.fullmatch(schema["pattern"], found):
        return [f"{at} has another form"]
    if isinstance(found, list):
        return [fault for each in found for fault in faults(each, schema["items"], at)]
    if not isinstance(found, dict) or "properties" not in schema:
        return []
    missing = [f"{at}.{name} is missing" for name in schema["required"] if name not in found]
    unknown = [f"{at}.{name} is unknown" for name in found if name not in schema["properties"]]
    known = found.keys() & schema["properties"].keys()
    inner = [fault for name in known for fault in faults(found[name], schema["properties"][name], f"{at}.{name}")]
    return missing + unknown + inner


def schema_of(form: AuditFormat, line: dict[str, Any]) -> dict[str, Any]:
    if form is AuditFormat.OCSF:
        return OCSF[str(line["class_uid"])]
    return ECS if form is AuditFormat.ECS else OWASP


def made(folder: Path, form: AuditFormat) -> Audited:
    return Audited(folder, form=form, identity=AuditIdentity.PLAIN, address=AuditAddress.FULL, handles=HandleKey())


@pytest.mark.parametrize("form", OTHERS, ids=lambda form: form.value)
def test_every_kind_has_the_form_of_the_schema(tmp_path: Path, form: AuditFormat) -> None:
    """Each kind of event, and the lines of the chain itself: no field that the schema does not know, none missing."""
    audited = made(tmp_path, form)
    told(audited.events)
    audited.writer.end()

    lines = audited.read
    assert len(lines) > 20
    assert [(line, fault) for line in lines for fault in faults(line, schema_of(form, line))] == []
    assert audited.verified().problems == []


def test_the_check_finds_faults() -> None:
    """A field of another type, a value that is not listed, a missing and an unknown field are faults."""
    line = {"@timestamp": "today", "ecs": {"version": 8}, "event": {"kind": "thing", "colour": "red"}}

    assert sorted(faults(line, ECS)) == [
        ".@timestamp has another form", ".ecs.version is no string", ".event.action is missing",
        ".event.colour is unknown", ".event.kind is not one of the values",
    ]  # fmt: skip


@pytest.mark.parametrize("form", OTHERS, ids=lambda form: form.value)
def test_each_dialect_says_who_where_and_what(tmp_path: Path, form: AuditFormat) -> None:
    """A refusal and a success, in the fields where readers of that dialect look for them."""
    audited = made(tmp_path, form)
    audited.events.decided(LOGIN, THROTTLED, Mode.ENFORCE, FOUR, attempt("Hana"), Device.STRANGER)
    audited.events.settled(LOGIN, Outcome.SUCCEEDED, Basis.RULE, attempt("Hana"), Device.STRANGER)
    audited.writer.flush()

    _, refusal, success = audited.read
    account = success[{"ocsf": "unmapped"}.get(form.value, "sekisho")]["account"]
    expected: dict[AuditFormat, tuple[Any, Any]] = {
        AuditFormat.OCSF: (
            (3002, 2, "ip_rate,deny_list", account, "203.0.113.9"),
            (3002, 1, "", account, "203.0.113.9"),
        ),
        AuditFormat.ECS: (
            (["authentication"], "failure", "ip_rate,deny_list", account, "203.0.113.9"),
            (["authentication"], "success", "", account, "203.0.113.9"),
        ),
        AuditFormat.OWASP: (
            (f"excess_rate_limit_exceeded:{account}", "WARN", "203.0.113.9", "POST", "/login"),
            ("authn_login_success:Hana", "INFO", "203.0.113.9", "POST", "/login"),
        ),
    }
    assert (parts(form, refusal), parts(form, success)) == expected[form]


def parts(form: AuditFormat, line: dict[str, Any]) -> tuple[Any, ...]:
    if form is AuditFormat.OCSF:
        detail = line.get("status_detail", "")
        return line["class_uid"], line["status_id"], detail, line["user"]["uid"], line["src_endpoint"]["ip"]
    if form is AuditFormat.ECS:
        event = line["event"]
        return event["category"], event["outcome"], event.get("reason", ""), line["user"]["hash"], line["source"]["ip"]
    return line["event"], line["level"], line["source_ip"], line["request_method"], line["request_uri"]


@pytest.mark.parametrize("form", OTHERS, ids=lambda form: form.value)
def test_a_changed_line_of_a_dialect_is_found(tmp_path: Path, form: AuditFormat) -> None:
    """Chains are the same in all dialects."""
    audited = made(tmp_path, form)
    audited.events.settled(LOGIN, Outcome.FAILED, Basis.RULE, attempt(), Device.STRANGER)
    audited.events.settled(LOGIN, Outcome.FAILED, Basis.RULE, attempt(), Device.STRANGER)
    audited.writer.end()
    lines = audited.lines
    lines[1] = lines[1].replace(b"failed", b"passed").replace(b"failure", b"success")

    assert [problem.line for problem in audited.verified(lines).problems] == [2]


SUBJECTS = [
    Subject(),
    Subject("203.0.113.0/24", address="ad" * 16, device="de" * 16, software="5f" * 8, secret="0a1b2c3d"),
    Subject(account="ac" * 16),
    Subject("2001:db8::/56", "ac" * 16, "ad" * 16, device_class="seen", country="JP", counted="1.ab.-c."),
]
TOLD = [Told(SUBJECT), Told(SUBJECT, 'Ha"na\\ü%s', ip="203.0.113.9"), Told(SUBJECT, sealed="c2VhbGVk", ip='a"b')]


@pytest.mark.parametrize("form", list(AuditFormat), ids=lambda form: form.value)
@pytest.mark.parametrize("door", ["POST /login", "POST /100%/%s"])
def test_a_line_of_a_template_is_the_dialect_s_own(form: AuditFormat, door: str) -> None:
    """Templates save time and change no byte, with empty fields and with characters that JSON escapes."""
    dialect = FORMS[form]()
    for kind, outcome in itertools.product(("decided", "settled", "step_up_proved"), ("failed", "succeeded")):
        templates = Templates(dialect)
        for at_us, subject, told_of in itertools.product((AT_US, AT_US + 1_234_567), SUBJECTS, TOLD):
            event = Event(kind, at_us, door, result=outcome, reasons=("ip_rate",), subject=subject)
            assert templates.line(event, told_of) == dialect.line(event, told_of, 0)
