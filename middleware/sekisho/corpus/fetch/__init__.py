"""Downloads all ranges of Pwned Passwords into a folder: resumable, checked row by row, and gentle to a free service.

    prefixes ─► gate (places, one pause for all) ─► answer (checked) ─► folder (files, index, lock)

`sekisho corpus build` reads the result: one gzip file a range, named by its five hex digits. Needs httpx, which comes
with the extra `corpus`; no code that serves log-ins imports this.
"""

from __future__ import annotations

from sekisho.corpus.fetch.failure import Failure, FetchError, FetchReport
from sekisho.corpus.fetch.run import SOURCE_URL, FetchPace, Surroundings, fetch

__all__ = ["SOURCE_URL", "Failure", "FetchError", "FetchPace", "FetchReport", "Surroundings", "fetch"]
