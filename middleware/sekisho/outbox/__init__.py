"""Notices to owners that survive a crash: kept in the owners' database until the mail server has taken them.

`NoticeOutbox` keeps and sends; `by_mail` writes the letters, and needs the extra `mail`.
"""

from __future__ import annotations

from sekisho.outbox.notice import NEVER_SUMMED, Notice, Undelivered
from sekisho.outbox.sending import NoticeOutbox, OutboxBounds

__all__ = ["NEVER_SUMMED", "Notice", "NoticeOutbox", "OutboxBounds", "Undelivered"]
