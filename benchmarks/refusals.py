"""What each refusal costs beside a bare 404 and beside another commit: `python -m benchmarks.refusals [--base COMMIT]`.

Instructions over HTTP, counted as `benchmarks.beside` counts them, as ratios to the 404 that Starlette alone answers.
A step-up is counted without the application's run behind the seal: the application answers nothing while it is counted,
as many runs as may be under way are so before the first request that counts, and those of the others stand in their
queue. What it takes to put them there is counted.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import arguments, measure
from benchmarks.beside import Sent, counts_of_both
from benchmarks.known import proved
from benchmarks.login_post import JSON, ONE_ADDRESS, PAGE, address, form_post
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

BASE = "97295b2"
REQUESTS, QUICK_REQUESTS, LEAD_IN, STEP_UP_LEAD_IN = 960, 320, 136, 48
RUNS_MAX = 160
"""Of the 288 places for runs behind the seal, the lead-in takes 48."""

CONNECTIONS = 8
SHORT_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/141.0"
EACH_ACCOUNT = "username=user{}%40mail.example&password=wrong"
# Both are five values of the length that tokens have. Garbage is told from a token by its first characters; a forged
# one begins as a genuine token does, and its signature has to be computed to refuse it.
GARBAGE = [urlsafe_b64encode(bytes(range(47))).decode().rstrip("=")] * 5
FORGED = [proved(f"user{number}@mail.example")[:40] + "A" * 23 for number in range(5)]


class Load(NamedTuple):
    """Attributes:
    status: that every answer has once the lead-in is over.
    server: which is asked: `bare`, one that asks for `work`, or for a `step-up`.
    path, accept: of the request.
    tokens: device tokens that its cookie carries.
    one_address: whether all come from one.
    body: with the number of the request in it, or none.
    """

    status: int
    server: str
    path: str = "/login"
    accept: str = JSON
    tokens: Sequence[str] = ()
    one_address: bool = False
    body: str = "username=somebody%40mail.example&password=wrong{}"

    def request(self, number: int) -> bytes:
        where = ONE_ADDRESS if self.one_address else address(number)
        cookies = [f"Cookie: __Host-sekisho={'.'.join(self.tokens)}"] if self.tokens else []
        body = self.body.format(number)
        return form_post(self.path, body, where, *cookies, agent=SHORT_AGENT, accept=self.accept, language="en")

    def sent(self, requests: int) -> Sent:
        is_step_up = self.server == "step-up"
        return Sent(
            self.request,
            min(requests, RUNS_MAX) if is_step_up else requests,
            STEP_UP_LEAD_IN if is_step_up else LEAD_IN,
            CONNECTIONS,
            status=self.status,
            is_shed=self.one_address,
            has_store=self.server != "bare",
            variables={"BENCH_FACTORS": "totp"} if is_step_up else {},
        )


LOADS = {
    "404": Load(404, "bare", path="/nothing"),
    "shed": Load(429, "work", one_address=True),
    "shed, garbage cookie": Load(429, "work", one_address=True, tokens=GARBAGE),
    "shed, forged tokens": Load(429, "work", one_address=True, tokens=FORGED),
    "unreadable": Load(400, "work", body="username=a&username=b{}&password=c"),
    "work, JSON": Load(401, "work"),
    "work, page": Load(401, "work", accept=PAGE),
    "step-up, JSON": Load(401, "step-up", body=EACH_ACCOUNT),
    "step-up, page": Load(401, "step-up", accept=PAGE, body=EACH_ACCOUNT),
}


def ratios(found: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """To the 404 of the same tree's run."""
    return {
        load: {tree: thousands / found["404"][tree] for tree, thousands in counts.items()}
        for load, counts in found.items()
    }


def refusal_table(found: Mapping[str, Mapping[str, float]], base: str) -> Table:
    trees = (base, "here")
    return screen_table(
        "Thousands of instructions a refusal, over HTTP, and their ratio to a bare 404",
        ("refusal", base, "here", f"to the 404: {base}", "here"),
        [
            (load, *(f"{found[load][tree]:.0f}" for tree in trees), *(f"{by_tree[tree]:.2f}" for tree in trees))
            for load, by_tree in ratios(found).items()
        ],
    )


def main() -> None:
    parser = arguments.parser(__doc__, quick="fewer requests")
    arguments.add_base(parser, BASE)
    options = parser.parse_args()
    requests = QUICK_REQUESTS if options.quick else REQUESTS
    about = {"machine": measure.machine(), "base": options.base, "requests": requests}
    found = counts_of_both(options.base, "refusals", {name: load.sent(requests) for name, load in LOADS.items()})
    wide_console().print(refusal_table(found, options.base))
    write_result("refusals", about | {"thousands": found, "ratios": ratios(found)}, quick=options.quick)


if __name__ == "__main__":
    main()
