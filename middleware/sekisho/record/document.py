"""Generates `docs/events.md` from the tables of the written form."""

from __future__ import annotations

from sekisho.record.lines import ALWAYS, FIELDS, FORMS, Field

_HEAD = """\
# Events

Each thing that the guard does is one event. With `SEKISHO_EVENTS_FILE=/var/log/sekisho/events.jsonl` every worker
appends its events to that file, one JSON object a line:

```json
{"v":1,"time":"2026-11-29T07:30:09.123456Z","kind":"decided","door":"POST /login","action":"throttle","mode":"enforce",\
"reasons":["ip_rate"],"network":"203.0.113.0/24","account":"6f…","address":"c1…","device":"09…","device_class":"stranger"}
```

A line contains no account, no address and no secret. Accounts, addresses and devices are digests under a key that is
derived from `SEKISHO_SECRET` (the oldest one listed) and used for nothing else: equal values have equal digests, in all
workers, and only a holder of the secret can test candidates.

**Writing.** Events wait in the worker's memory, at most 10,000, and a thread writes them several times a second. Each
write appends whole lines (`O_APPEND`), so all workers may share one file. A log-in never waits for it. If the file
cannot be written, the log says so once, the events are dropped and counted (`events`, `unwritable`), and writing goes
on as soon as it is possible. Where memory is full, events are summed by all fields but time and client. A file that was
renamed (logrotate) is opened anew within the next write; `copytruncate` is not needed.

**Floods.** In one second a worker writes at most 20 lines that agree in all fields but time and client. Further ones
are summed: one line with `times`, without client and account, at the end of the second.

**Versions.** `v` rises when a field or kind is removed, or changes its meaning. Within a version, fields, kinds and
words may be added: a reader skips kinds and fields that it does not know. A field that does not apply is absent.

**Reading.** `sekisho.events.replay(file)` yields `sekisho.events.Event` values, and names the line that is none.

"""


def markdown() -> str:
    """The whole of `docs/events.md`. Make it with `python -m sekisho.record > docs/events.md`."""
    kinds = [f"| `{kind}` | {form.meaning} | {_listed(form.fields)} |" for kind, form in FORMS.items()]
    return "\n".join(
        [
            _HEAD + "## Kinds\n",
            "| kind | meaning | fields besides `v`, `time`, `kind`, `times` |",
            "|---|---|---|",
            *kinds,
            "\n## Fields\n",
            "| field | type | meaning |",
            "|---|---|---|",
            *[_row(name, field) for name, field in (*ALWAYS.items(), *FIELDS.items())],
            "",
        ]
    )


def _listed(fields: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in fields) or "–"


def _row(name: str, field: Field) -> str:
    return f"| `{name}` | {field.type} | {field.meaning} |"
