"""What the Share dialect needs of the world."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple, Protocol

from nightbell.account.identity import Identity
from nightbell.account.share import ShareCredential
from nightbell.publish.reading import Reading


class ShareAccounts(Protocol):
    """Share credentials and their sessions, which survive a restart. `account.share_service` has them."""

    def share_account_by_name(self, name: str) -> ShareCredential | None:
        """The credential a client calls by this name, whatever its case."""
        ...

    def share_account_by_id(self, account: str) -> ShareCredential | None:
        """The credential of this account id."""
        ...

    async def share_verify_password(
        self, account: ShareCredential | None, password: str, *, peer: str, now_ms: int
    ) -> bool:
        """Whether it is the password; None takes as long and is false.

        Raises:
            CallerError: TRY_LATER, with the field `retry_after_s`.
            PlatformError: OVERLOADED.
        """
        ...

    async def share_session_open(self, account: ShareCredential, now_ms: int) -> str:
        """Open a session, a lower-case UUID; durable when this returns.

        Raises:
            PlatformError: It was not saved.
        """
        ...

    def share_session(self, session_id: str, now_ms: int) -> Identity | None:
        """Whose session this is, if it holds now."""
        ...


class SharePage(NamedTuple):
    """Readings for an old client: newest first, and the sharer's time zone."""

    readings: Sequence[Reading]
    zone: tzinfo


class ShareReads(Protocol):
    """The one door to somebody's readings, for the sharer's own Share credential."""

    async def readings(self, identity: Identity, *, minutes: int, count: int, now_ms: int) -> SharePage:
        """At most `count` readings measured in the last `minutes`, newest first.

        What was acknowledged before is among them, whichever lane it took.

        Raises:
            CallerError: This credential may not see them any more.
            PlatformError: They cannot be read now.
        """
        ...
