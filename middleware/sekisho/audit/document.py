"""Generates `docs/audit.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.audit import verify
from sekisho.audit.checkpoints import EVERY_US
from sekisho.audit.disclosure import KNOWN_BY
from sekisho.audit.policy import CHEAP
from sekisho.audit.stream import CHECKPOINTS_MAX, LINES_MAX
from sekisho.record.flood import SINGLY_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD: Final = """\
# The audit

With `SEKISHO_AUDIT` every [event](events.md) is a line that tells who, when, where, what and why, and that cannot be
changed unnoticed. It is for those who have to prove later what happened (ASVS 5.0, 16.2 and 16.3). For programs that
only want the events, `SEKISHO_EVENTS_FILE` is enough.

```sh
SEKISHO_AUDIT=file:/var/log/sekisho/audit.jsonl   # or stdout, logging, or redis
SEKISHO_AUDIT_CHECKPOINTS=store                   # or file:, on another machine's disk
```

```json
{{"v":1,"time":"2026-11-29T07:30:09.123456Z","kind":"settled","door":"POST /login","result":"failed","basis":"rule",\
"account":"6f…","address":"c1…","device":"09…","device_class":"stranger","chain":{{"id":"5b…","n":17,"mac":"a0…"}}}}
```

An attempt costs the request a note in memory; a thread makes the lines ([figures](performance.md#audit)). Without the
setting nothing is done.

## Where it goes

- `file:PATH`: all workers append to one file. At `SEKISHO_AUDIT_BYTES_MAX` it is renamed to `PATH.1`, `PATH.1` to
  `PATH.2` and so on; `SEKISHO_AUDIT_FILES_MAX` such files are kept. logrotate may do it instead (`create`, never
  `copytruncate`).
- `stdout`: for a log shipper. Keep its lines as they are: a field that is added or moved makes a line *changed*.
- `logging`: Python's logger `sekisho.audit`, at `INFO`. Each handler that you give it, or the root logger, gets the
  lines: OpenTelemetry's, the journal's. Without a handler that takes them they are lost, and the log says so. A handler
  may lose lines without a word; checkpoints find those that are missing at an end.
- `redis`: the stream `sekisho:{{audit}}` (`sekisho` is `SEKISHO_NAMESPACE`) in `SEKISHO_STORE`, each line in the
  field `line`. It keeps about {stream:,} lines; follow it with `XREAD` to keep more. It needs the right `+xadd`, and
  `+xrange` to read.

## Who is named

| setting | `digest` (default) | | |
|---|---|---|---|
| `SEKISHO_AUDIT_IDENTITY` | `account`: a keyed pseudonym | `sealed`: and `sealed` | `plain`: and `name` |
| `SEKISHO_AUDIT_ADDRESS` | `address`: a keyed pseudonym | `prefix`: and `network` | `full`: and `ip` |

Pseudonyms are those of event files: derived from `SEKISHO_SECRET`, under a key that neither counters nor seals use.
So the store and the audit cannot be matched without the secret. `sekisho look` and `sekisho tail` find an account by
its name.

With `SEKISHO_AUDIT_REPLAY=on` lines of attempts also have `counted`, the keyed digests that the counters were asked
about, under a key of their own: for [`sekisho simulate --replay`](what-if.md). It tells of two secrets at one account
and device whether they are the same, and nothing of secrets at different accounts.

People type their password into the field of the name. A name is therefore written, sealed or plain, only of accounts
that are known to exist: on lines of {known}, and on `settled` with the result `succeeded` that a rule or the
application itself reported. All other lines of the account have the same pseudonym, by which `sekisho audit open`
names them too.

**Sealed names.** Make a key where names may be read, not on the service's machines:

```sh
sekisho audit key /media/stick/audit.pem          # prints SEKISHO_AUDIT_RECIPIENT=…, for the service
sekisho audit open --key /media/stick/audit.pem audit.jsonl
```

The seal is HPKE (RFC 9180: X25519, HKDF-SHA-256, AES-256-GCM), bound to the account's pseudonym. It needs the extra
`audit`. An attacker who copies the file, and the service's secret with it, reads no name; with the secret he can
still test names that he guesses against the pseudonyms.

## Dialects

`SEKISHO_AUDIT_FORMAT` says in whose words the lines are. In each, the account's pseudonym is where a dialect has the
user's id.

| format | lines are | our own fields, and `chain` |
|---|---|---|
| `sekisho` | events (docs/events.md), version 1 | in the line |
| `ocsf` | OCSF 1.3.0: attempts and proofs are Authentication (3002), all else is Base Event (0) | in `unmapped` |
| `ecs` | Elastic Common Schema 8.11: `event.*`, `user.hash`, `source.ip`, `service.*` | in `sekisho` |
| `owasp` | OWASP's logging vocabulary: `authn_login_success`, `authn_login_fail` and others | in `sekisho` |

A line of a sum has the number in OCSF's `count`, elsewhere in our own `times`. `sekisho audit verify` reads all of
them, `sekisho audit open` and `sekisho tail` only our own.

## Floods

Strangers can make as many refusals as they like, so these are summed up: one line with `times`, the number of such
events, and `total`, their number since the chain began (of this kind, door, action and reasons). In one second a
worker writes

- one line for all attempts of a door that passed: their outcomes have lines of their own, with account and address;
- one line for all attempts of a door that were refused unread for one reason: their address, network or device was
  refused before, on a line of its own;
- at most {singly} lines of any other sort of {cheap}, and one sum; after a second with more than that, the sum alone;
- all lines of all other kinds: each costs an attacker the check of a password.

A sum names its client where all its events were of one. While the disk hangs, 10,000 events wait in memory at most;
what finds no room is in the sums.

**What a crash may lose.** Lines are handed to the operating system several times a second, and sums at the end of
their second. A worker that is killed (`SIGKILL`, out of memory) loses the events of its last 1.2 seconds at most on
an idle machine; counts of [metrics](metrics.md) that were not yet shared are lost with it. Everything before is on
disk, and its lines and sums add up to what happened. A power cut also loses what the kernel had not written; lines
are not synced one by one.

## Proof

Each worker writes a chain. A line's `chain` holds its `id`, the line's number `n` in it, and `mac`: a keyed
BLAKE2b (RFC 7693, 16 bytes) of all the line without these hex digits. Each line has a key of its own, a hash of the
key before, which the worker then forgets. A chain begins with a line `audit_opened`, as does its part of each file and
each further 10,000 lines; an orderly end is `audit_closed`. Opening lines are authenticated under a key derived from
`SEKISHO_SECRET`.

With `SEKISHO_AUDIT_RECIPIENT`, each opening line starts from a random key that is sealed for the recipient. Then even
an attacker who takes a worker over, secret and all, cannot rewrite what it wrote before. Verifying then needs the
private key and the secret. Without a recipient, a reader of the secret can.

**Checkpoints** say, under the same secret, how far each chain has come; there is one within {every} seconds of a
line. They find lines that are missing at an end. Keep them where an attacker on the service's machine cannot remove
them: in the store (`SEKISHO_AUDIT_CHECKPOINTS=store`: the newest {checkpoints:,}, in the stream
`sekisho:{{audit}}:checkpoints`), or in a file elsewhere. Without checkpoints, a chain whose end was removed looks
like that of a killed worker.

```sh
sekisho audit verify audit.jsonl.2 audit.jsonl.1 audit.jsonl
```

| what it says of a line | what happened |
|---|---|
{problems}

Its exit code is 0 if nothing was found, 1 if something was. It prints how many events of each kind the verified lines
stand for. Lines that a worker dropped because the disk was full are a gap or the field `lost` of the next opening
line; the log of that time has [SEK024](warnings.md).

## Fields that the audit adds

| field | meaning |
|---|---|
| `chain` | The line's place and its proof. |
| `total` | On a sum: such events since the chain began. |
| `name`, `sealed`, `ip` | See above. |
| `key` | Of `audit_opened`: the key of the next line, sealed for the recipient. |
| `lost` | Of `audit_opened`: events that could not be written before it. |

All other fields, and all kinds, are those of [events](events.md).
"""

_PROBLEMS: Final = {
    verify.NO_AUDIT: "It has no valid `chain`: it was edited, cut (a full disk does that too), or is not ours.",
    verify.CHANGED: "Something of it was changed, or an attacker wrote it, or the opening line of its key is missing.",
    verify.MISSING.format("N"): "Lines were removed, or moved behind this one.",
    verify.ADDED: "It was copied, or moved behind a later one.",
    verify.UNOPENED: "The beginning of its file was removed. `--part` allows it, for streams.",
    verify.NO_RECIPIENT: "The private key was not given, or is another one.",
    verify.CUT.format("ID", "N", "M"): "The end of a chain was removed.",
    verify.GONE.format("ID", "TIME"): "All lines of a worker were removed.",
    verify.OTHER.format("ID", "N"): "A chain with another end was put in the place of the real one.",
}


def markdown() -> str:
    """The whole of `docs/audit.md`. Make it with `python -m sekisho.audit > docs/audit.md`."""
    return _HEAD.format(
        stream=LINES_MAX,
        checkpoints=CHECKPOINTS_MAX,
        known=_listed(KNOWN_BY),
        cheap=_listed(CHEAP),
        singly=SINGLY_MAX,
        every=EVERY_US // 1_000_000,
        problems="\n".join(f"| {text} | {meaning} |" for text, meaning in _PROBLEMS.items()),
    )


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(f"`{kind}`" for kind in sorted(kinds))
