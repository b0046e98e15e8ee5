"""The HTTP API of step-ups as an OpenAPI 3.1 document: `python -m sekisho.stepup.api > docs/openapi.json`.

Statuses, codes, names of factors and lifetimes come from the code that answers. `tests/stepup/flow/test_openapi.py`
compares the rest with the answers of a guarded application.
"""

from __future__ import annotations

from sekisho.stepup.api.document import document, text
from sekisho.stepup.api.operations import OPERATIONS, PAGES_ONLY

__all__ = ["OPERATIONS", "PAGES_ONLY", "document", "text"]
