"""All ranges of Pwned Passwords into a folder: interrupted at will, checked row by row, polite to who gives them away.

    prefixes ─► gate (places, one pause for all) ─► answer (checked) ─► folder (files, index, lock)

What lands is what `sekisho corpus build` reads: one gzip file a range, named by its five hex digits. Needs httpx, which
the extra `corpus` brings along; nothing that serves log-ins imports this.
"""

from __future__ import annotations

from sekisho.corpus.fetch.failure import Failure, FetchError, FetchReport
from sekisho.corpus.fetch.run import SOURCE_URL, FetchPace, Surroundings, fetch

__all__ = ["SOURCE_URL", "Failure", "FetchError", "FetchPace", "FetchReport", "Surroundings", "fetch"]
