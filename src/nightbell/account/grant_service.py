"""Grants as they are given, verified and withdrawn, from a key ring and a list in memory.

Nothing here needs the store of accounts. The list of revocations has its own file, beside the keys.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import structlog

from nightbell.account import grants, revocations
from nightbell.account.grants import DEVICE_CHARS_MAX, GRANT_CHARS_MAX, GRANT_LASTS_MS, Grant
from nightbell.account.identity import DEVICE_SCOPES
from nightbell.account.ports import KeyFolder, KeyRing
from nightbell.account.remembered import DIGEST_BYTES, Remembered
from nightbell.account.revocations import Revocations
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import NEVER_MS
from nightbell.words.identity import new_uuid, secret_hash

_log: Final = structlog.get_logger()


class Grants:
    """Gives, verifies and withdraws grants."""

    def __init__(self, folder: KeyFolder, writing: AbstractAsyncContextManager[None]) -> None:
        self._folder = folder
        self._ring: KeyRing | None = None
        self._tag_key = b""
        self._remembered = Remembered()
        self._revoked = Revocations()
        self._writing = writing
        self._unwritten = False
        self._failing = ""

    @property
    def failing(self) -> str:
        """What an operator must do, empty if all is well."""
        return self._failing

    async def start(self) -> None:
        """Load the keys and the list.

        A list that cannot be trusted is kept aside and begun anew: people stay signed in, and an operator is
        told that withdrawn grants may hold again until they run out.

        Raises:
            PlatformError: The keys cannot be read.
        """
        self._ring = await self._folder.ring()
        self._tag_key = grants.tag_key_of(self._ring.signing)
        stored = await self._folder.revocations()
        if stored is None:
            return
        listed = revocations.opened(stored, self._ring.accepted)
        if listed is None:
            kept_as = await self._folder.set_aside_revocations()
            self._failing = catalogue().say("account.revocations_damaged", file=kept_as)
            _log.error("revocations.damaged", kept_as=kept_as)
            return
        self._revoked = listed

    def give(self, person_id: str, device: str, credential: int, now_ms: int) -> tuple[str, Grant]:
        """A new grant, and the token its device carries."""
        assert self._ring is not None
        named = "".join(sign for sign in device if sign.isprintable())[:DEVICE_CHARS_MAX]
        scopes = tuple(sorted(DEVICE_SCOPES))
        # Later than the last time this person signed out everywhere, however fast they come back.
        issued_ms = max(now_ms, self._revoked.people.get(person_id, -1) + 1)
        grant = Grant(new_uuid(), person_id, scopes, named, issued_ms, now_ms + GRANT_LASTS_MS, credential)
        return grants.sealed(grant, self._ring.signing), grant

    def holding(self, token: str, now_ms: int) -> Grant | None:
        """The grant behind a token, if it was signed by us, has not run out and was not withdrawn."""
        if len(token) > GRANT_CHARS_MAX or not token.isascii():
            return None
        grant = grants.tagged(token, self._tag_key) or self._signed(token)
        if grant is None:
            return None
        # A grant that seems issued in the future is one of ours after our own clock was set back: it holds.
        return None if now_ms >= grant.expires_ms or self._revoked.covers(grant) else grant

    def _signed(self, token: str) -> Grant | None:
        """The grant of a token without a tag of ours: its signature is looked at once."""
        digest = secret_hash(token)[:DIGEST_BYTES]
        if digest in self._remembered:
            return grants.read(token)
        assert self._ring is not None
        grant = grants.opened(token, self._ring.accepted)
        if grant is not None:
            self._remembered.add(digest)
        return grant

    async def withdraw_device(self, credential: int, now_ms: int) -> None:
        """Void every grant of one device.

        Raises:
            PlatformError: The list could not be written (`NOT_DURABLE`); here it is void all the same.
        """
        until_ms = now_ms + GRANT_LASTS_MS
        await self._revoke(lambda listed: listed.with_credential(credential, until_ms, now_ms))

    async def withdraw_key(self, credential: int, now_ms: int) -> None:
        """Note a key as withdrawn for ever.

        Raises:
            PlatformError: The list could not be written (`NOT_DURABLE`).
        """
        await self._revoke(lambda listed: listed.with_credential(credential, NEVER_MS, now_ms))

    async def withdraw_person(self, person_id: str, now_ms: int) -> None:
        """Void every grant one person's devices hold now.

        Raises:
            PlatformError: The list could not be written (`NOT_DURABLE`); here they are void.
        """
        await self._revoke(lambda listed: listed.with_person(person_id, now_ms))

    def is_withdrawn(self, credential: int) -> bool:
        """Whether this credential stands in the list."""
        return credential in self._revoked.credentials

    async def tend(self) -> None:
        """Write the list again if that failed before.

        Raises:
            PlatformError: It failed again.
        """
        if self._unwritten:
            async with self._writing:
                await self._write()

    async def _revoke(self, changed: Callable[[Revocations], Revocations]) -> None:
        self._revoked = changed(self._revoked)  # first of all: it holds from now on
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        assert self._ring is not None
        listed = self._revoked
        self._unwritten = True
        await self._folder.write_revocations(revocations.sealed(listed, self._ring.signing))
        self._unwritten = self._revoked is not listed
