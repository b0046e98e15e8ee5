"""Codes and notices to owners, by SMTP: `Mailer(…).send(to, messages.code(service, locale, …))`.

Needs `aiosmtplib` (the extra `mail`).
"""

from __future__ import annotations

from sekisho.mail import messages
from sekisho.mail.address import Unsendable
from sekisho.mail.mailer import Bounds, Mailer, Means, SendResult
from sekisho.mail.messages import Letter, Service

__all__ = ["Bounds", "Letter", "Mailer", "Means", "SendResult", "Service", "Unsendable", "messages"]
