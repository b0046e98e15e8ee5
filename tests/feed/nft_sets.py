"""Changes of nftables' sets in a network namespace of their own: `python -m tests.feed.nft_sets`.

Prints the sets after each change: address, and whether its time is longer than 100 seconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from ipaddress import ip_network

from sekisho.feed.fronts.nftables import Nftables
from sekisho.feed.fronts.port import Change
from tests.feed.tools import tool

FOUR, SIX, MORE = ip_network("9.9.9.9"), ip_network("2606:4700::/64"), ip_network("9.9.9.10")
CHANGES = (
    Change({FOUR: 50.0, SIX: 50.0}, {}, (), {}),
    Change({MORE: 50.0}, {FOUR: 500.0, SIX: 500.0}, (), {}),
    Change({}, {}, (FOUR, SIX, ip_network("9.9.9.11")), {}),
)


async def main() -> list[dict[str, bool]]:
    front = Nftables([tool("nft")], "sekisho", [443], 100)
    found: list[dict[str, bool]] = []
    for change in CHANGES:
        if not found:
            check("\n".join(front.steps(change)))
            await front.begin()
        await front.apply(change)
        found.append(elements())
    await front.begin()
    return [*found, elements()]


def check(file: str) -> None:
    """What a dry run prints is a whole file: nft takes it where there is no table yet."""
    subprocess.run([tool("nft"), "-c", "-f", "-"], input=file.encode(), check=True)


def elements() -> dict[str, bool]:
    told = subprocess.run([tool("nft"), "-j", "list", "table", "inet", "sekisho"], check=True, stdout=subprocess.PIPE)
    sets = [one["set"] for one in json.loads(told.stdout)["nftables"] if "set" in one]
    listed = [element["elem"] for one in sets for element in one.get("elem", ())]
    return {shown(element["val"]): element["timeout"] > 100 for element in listed}


def shown(value: str | dict[str, dict[str, str | int]]) -> str:
    return value if isinstance(value, str) else f"{value['prefix']['addr']}/{value['prefix']['len']}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main())))
