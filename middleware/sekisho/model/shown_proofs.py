"""What a request shows besides its secret."""

from __future__ import annotations

from typing import Final, final

from sekisho.model.value import Value


@final
class ShownProofs(Value):
    """What a request shows besides its secret.

    Attributes:
        worked: work or a captcha was done; it proves effort, never identity.
        proved: the account owner has shown a second proof for this door and account a moment ago.
        work_receipt: receipt of the attempt that was answered by asking for the work; empty where there is none. See
            `Settler.work_receipt`.
        contacted: the code that was mailed to the request's address was shown for it a moment ago. The same sign-up was
            counted when the code was asked for.
        asker: the name of the browser, where it asked for the code that is tried.
        linking: the digest of the session's account, where another is linked to it; empty where it is not known.
    """

    __slots__ = ("asker", "contacted", "linking", "proved", "work_receipt", "worked")

    def __init__(
        self,
        worked: bool = False,
        proved: bool = False,
        work_receipt: bytes = b"",
        contacted: bool = False,
        asker: bytes = b"",
        linking: bytes = b"",
    ) -> None:
        self.worked: Final = worked
        self.proved: Final = proved
        self.work_receipt: Final = work_receipt
        self.contacted: Final = contacted
        self.asker: Final = asker
        self.linking: Final = linking

    def beside(self, asker: bytes, linking: bytes) -> ShownProofs:
        """Return these proofs with other values of `asker` and `linking`; see the attributes."""
        return ShownProofs(self.worked, self.proved, self.work_receipt, self.contacted, asker, linking)


NOTHING_SHOWN: Final = ShownProofs()
