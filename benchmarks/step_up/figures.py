"""The results as a page of the documentation: `python -m benchmarks.step_up figures`.

The page is generated from the JSON. With `--quick` the page of a first look goes to the screen alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.result import interval_text, measured_text, read_result, write_page
from benchmarks.step_up.cost import ADDED_MS_MAX
from benchmarks.step_up.sealed import HIGH, LOW
from benchmarks.tables import markdown_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence


def write_step_up_figures(options: argparse.Namespace) -> None:
    names = ("timings", "cost", "doors", "enrolled", "flooded")
    parts = [read_result(f"step-up-{part}", quick=options.quick) for part in names]
    write_page("step-up-figures.md", page(*parts), quick=options.quick)


def page(
    timings: Mapping[str, Any] | None,
    cost: Mapping[str, Any] | None,
    doors: Mapping[str, Any] | None = None,
    enrolled: Mapping[str, Any] | None = None,
    flooded: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """The lines of the page, without unmeasured parts."""
    yield "# The step-up in figures"
    yield ""
    yield (
        "Written by `python -m benchmarks.step_up figures` from `benchmarks/results/step-up-*.json`. Medians, with 95% "
        "intervals from order statistics in brackets."
    )
    if timings:
        yield from _timings(timings)
    if flooded:
        yield from _flooded(flooded)
    if enrolled:
        yield from _enrolled(enrolled)
    if doors:
        yield from _doors(doors)
    if cost:
        yield from _cost(cost)


def _flooded(found: Mapping[str, Any]) -> Iterator[str]:
    plan, answers = found["plan"], found["answers"]
    yield from ("", "## What the time of an answer tells beside a flood", "")
    yield (
        f"For each setting {plan['seconds']:.0f} seconds of log-ins by {plan['clients']} clients at once: right and "
        "wrong passwords of members, and wrong ones of names without an account, in random order. Beside them "
        f"{plan['rate']:.0f} attempts a second from {plan['flood']}, some five times what this machine can check at "
        f"{plan['profile']['passes']} passes of {plan['profile']['memory_kib']:,} KiB. Most are refused for want of "
        "room, and those clients try again at once. AUC is the chance that a right password (a member) has the slower "
        f"answer of a pair; {LOW} to {HIGH} tells nothing. A share of refusals that would differ so by chance less "
        f"often than α = {plan['alpha']} would tell something, too. Outside of either: "
        f"{sum(not one['holds'] for one in answers)} of {len(answers)}."
    )
    yield ""
    yield from markdown_table(
        ("setting", "answer", "what would be told", "AUC", "answered", "p, refused", "median, ms"),
        [
            (
                one["setting"],
                one["answer"],
                one["told"],
                f"{one['auc']:.3f}",
                " / ".join(f"{count:,} of {sent:,}" for count, sent in zip(one["count"], one["sent"], strict=True)),
                f"{one['p_refused']:.3g}",
                " / ".join(f"{us / 1000:,.1f}" for us in one["median_us"]),
            )
            for one in answers
        ],
    )
    yield from ("", measured_text(found))


def _enrolled(found: Mapping[str, Any]) -> Iterator[str]:
    plan, classes = found["plan"], found["classes"]
    yield from ("", "## What the time of a step-up tells of the account's factors", "")
    yield (
        f"{plan['count']:,} log-ins of each class in random order, from {plan['clients']} clients at once: right "
        f"passwords of members with a passkey, with an app and with nothing, and names without an account. AUC is the "
        f"chance that the class has the slower answer of a pair with those; {LOW} to {HIGH} tells nothing. Outside: "
        f"{sum(not one['holds'] for one in classes)} of {len(classes)}."
    )
    yield ""
    yield from markdown_table(
        ("answer", "class", "AUC", "median, µs: class / no account"),
        [
            (
                one["answer"],
                one["class"].replace("webauthn", "a passkey").replace("totp", "an app"),
                f"{one['auc']:.3f}",
                " / ".join(f"{us:,.0f}" for us in one["median_us"].values()),
            )
            for one in classes
        ],
    )
    yield from ("", measured_text(found))


def _doors(found: Mapping[str, Any]) -> Iterator[str]:
    plan = found["plan"]
    yield from ("", "## What the time of an answer tells at other doors", "")
    yield (
        f"{plan['count']:,} requests of members and as many of nobody at each door, in random order, each from an "
        f"address of its own. AUC is the chance that a member has the slower answer of a pair; {LOW} to {HIGH} tells "
        f"nothing. Outside of it: {sum(not one['holds'] for one in found['doors'])} of {len(found['doors'])}."
    )
    yield ""
    yield from markdown_table(
        ("door", "factors", "AUC", "median, µs: members / nobody"),
        [
            (
                one["door"],
                "yes" if one["factors"] else "no",
                f"{one['auc']:.3f}",
                " / ".join(f"{us:,.0f}" for us in one["median_us"].values()),
            )
            for one in found["doors"]
        ],
    )
    yield from ("", measured_text(found))


def _timings(found: Mapping[str, Any]) -> Iterator[str]:
    plan = found["plan"]
    profile, series = plan["profile"], found["series"]
    apart = sum(pair["separated"] for one in series for pair in one["pairs"])
    yield from ("", "## What the time of an answer tells", "")
    yield (
        f"One server on a core, one client with Redis on the other, owners in SQLite. The log-in hashes with argon2id "
        f"({profile['passes']} passes, {profile['memory_kib']:,} KiB, {profile['lanes']} lane), for accounts that do "
        f"not exist as well. {plan['count']:,} attempts of each of four classes in random order, each from an address "
        f"and a device of its own, at {plan['accounts']:,} members and as many names of nobody."
    )
    yield ""
    yield (
        "Two series are called apart where Mann-Whitney or Kolmogorov-Smirnov, each at half the level, finds a "
        f"difference at α = {plan['alpha']} per pair. Here {apart} of {sum(len(one['pairs']) for one in series)} pairs "
        "are."
    )
    yield ""
    yield (
        f"With {plan['pause_ms']:.0f} ms of pause, the application's run behind the client's back has ended before the "
        "next request. Without one, the run of the former attempt takes the processor from the next. Each timing is "
        "held against the class of its own attempt: whether a request that *follows* an attempt at once tells how long "
        "that one's run took is not measured here. Where the runs differ, the application's own time does."
    )
    for one in series:
        yield from _series(one)
    if sealed := found.get("sealed"):
        yield from _sealed(plan["sealed"], sealed)
    yield from ("", measured_text(found))


def _sealed(plan: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", "### Behind the seal", "")
    outside = [one for one in found for part in ("asked", "shown") if not LOW <= one[part]["auc"] <= HIGH]
    yield (
        f"{plan['count']:,} right and as many wrong passwords of members for each line, from {plan['clients']} clients "
        "at once, and 20 ms after each a wrong code. The application takes longer on success, by waiting or by hashing "
        "the password once more; the queue of runs is empty, or full of runs that take a second each. AUC is the "
        f"chance that a right password has the slower answer of a pair; {LOW} to {HIGH} tells nothing. Outside of it: "
        f"{len(outside)} of {2 * len(found)}."
    )
    yield ""
    yield from markdown_table(
        ("on success, ms more", "hash renewed", "queue", "AUC, question", "AUC, wrong code", "wrong code, median ms"),
        [
            (
                str(one["more_ms"]),
                "yes" if one["renews"] else "no",
                "full" if one["full"] else "empty",
                f"{one['asked']['auc']:.3f}",
                f"{one['shown']['auc']:.3f}",
                " / ".join(f"{us / 1000:,.1f}" for us in one["shown"]["median_us"].values()),
            )
            for one in found
        ],
    )


def _series(one: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"### {one['name']}", "")
    yield from markdown_table(("class", "timings", "median, µs"), [_class(row) for row in one["classes"]])
    yield ""
    yield from markdown_table(
        ("pair", "p, slower", "p, shape", "verdict"),
        [
            (
                f"{pair['one']} / {pair['other']}",
                f"{pair['p_slower']:.3g}",
                f"{pair['p_shape']:.3g}",
                "**separated**" if pair["separated"] else "not separated",
            )
            for pair in one["pairs"]
        ],
    )


def _class(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["name"], f"{row['count']:,}", interval_text(row["median_us"], ",.0f")


def _cost(found: Mapping[str, Any]) -> Iterator[str]:
    question, allowed = found["question"], found["allowed"]
    yield from ("", "## What it costs", "")
    yield (
        f"Time to an answer, {question['count']:,} each by turns: a plain 401 (a wrong password from a proved device, "
        "at an application that takes no time), and the question for a proof at applications that take some."
    )
    yield ""
    rows = [("plain 401", interval_text(question["plain_us"], ",.0f"), "")]
    for wait_ms, asked in question["asked_us"].items():
        added = f"{question['added_ms'][wait_ms]:.2f}"
        rows.append((f"question, application takes {wait_ms} ms", interval_text(asked, ",.0f"), added))
    yield from markdown_table(("answer", "median, µs", "more than the plain one, ms"), rows)
    yield ""
    yield f"The promise of {ADDED_MS_MAX:.0f} ms more at most is {'kept' if question['kept'] else 'NOT kept'}."
    yield ""
    yield (
        f"On the allowed path (right passwords from proved devices), server time per request in {allowed['pairs']} "
        f"pairs of {allowed['requests']} requests each:"
    )
    yield ""
    yield from markdown_table(
        ("factors", "µs"),
        [
            ("none", interval_text(allowed["without_us"], ".0f")),
            ("configured", interval_text(allowed["with_us"], ".0f")),
        ],
    )
    yield ""
    yield f"Ratio by pairs: {interval_text(allowed['ratio'], '.3f')}."
    yield from ("", measured_text(found))
