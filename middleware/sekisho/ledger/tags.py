"""Small sets of 4-byte tags that are forgotten after half an hour to an hour."""

from __future__ import annotations

from typing import NamedTuple

GENERATION_US = 30 * 60 * 1_000_000
"""Half of the window in which tags are remembered: an hour at most, half an hour at least."""

TAG_BYTES = 4


class Tags(NamedTuple):
    """A small set of 4-byte tags in two generations: those seen in this half-window, and those of the one before.

    Both together never exceed the cap, so a full set means *that many or more*.
    """

    generation: int = 0
    young: bytes = b""
    old: bytes = b""

    @property
    def size(self) -> int:
        return (len(self.young) + len(self.old)) // TAG_BYTES

    def holds(self, tag: bytes) -> bool:
        _, young, old = self
        return (tag in young and position(young, tag) >= 0) or (tag in old and position(old, tag) >= 0)


NO_TAGS = Tags()


def aged(tags: Tags, now_us: int) -> Tags:
    generation = now_us // GENERATION_US
    # After a clock has stepped back over the edge, the set keeps its tags; after a longer step its window begins anew,
    # or it would be forgotten only when the clock has caught up.
    if tags.generation >= generation:
        return tags if tags.generation <= generation + 1 else Tags(generation, tags.young, tags.old)
    return Tags(generation, b"", tags.young if tags.generation == generation - 1 else b"")


def seen(tags: Tags, tag: bytes, cap: int) -> Tags:
    """Return the tags with `tag` among the young ones. A full set loses the oldest old tag, else the oldest young."""
    generation, young, old = tags
    if not young and not old:
        return Tags(generation, tag, b"")
    if position(young, tag) >= 0:
        return tags
    at = position(old, tag)
    if at >= 0:
        return Tags(generation, young + tag, old[:at] + old[at + TAG_BYTES :])
    if len(young) + len(old) < cap * TAG_BYTES:
        return Tags(generation, young + tag, old)
    if old:
        return Tags(generation, young + tag, old[TAG_BYTES:])
    return Tags(generation, young[TAG_BYTES:] + tag, b"")


def without(tags: Tags, tag: bytes) -> Tags:
    young, old = position(tags.young, tag), position(tags.old, tag)
    return Tags(
        tags.generation,
        tags.young[:young] + tags.young[young + TAG_BYTES :] if young >= 0 else tags.young,
        tags.old[:old] + tags.old[old + TAG_BYTES :] if old >= 0 else tags.old,
    )


def position(tags: bytes, tag: bytes) -> int:
    at = tags.find(tag)
    while at >= 0 and at % TAG_BYTES:
        at = tags.find(tag, at + 1)
    return at
