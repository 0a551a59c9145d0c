"""Share accounts: old clients' own sign-in and their sessions, which outlive a restart."""

from contextlib import AbstractAsyncContextManager
from typing import Final

from nightbell.account.book import People
from nightbell.account.counts import SignInCounts
from nightbell.account.identity import SHARE_SCOPES, Identity
from nightbell.account.packed import halves, id_text
from nightbell.account.patience import Patience
from nightbell.account.person import NOT_A_SHARER, Person, tidied_name
from nightbell.account.ports import (
    AccountChange,
    AccountStore,
    LoadedAccounts,
    Passwords,
    StoredSession,
    StoredShare,
)
from nightbell.account.share import ShareCredential, Verified
from nightbell.account.share_book import Sessions, Shares
from nightbell.load.gate import Work
from nightbell.load.service import Admission
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.identity import new_secret, new_uuid, secret_hash
from nightbell.words.table import NO_ROW

SESSION_ID_CHARS: Final = 36
TENDED_AT_ONCE: Final = 2_000
"""Sessions written in one transaction: some ten milliseconds of the loop and of the file."""


class ShareAccounts:
    """Share credentials and sessions."""

    def __init__(
        self,
        store: AccountStore,
        passwords: Passwords,
        patience: Patience,
        people: People,
        changing: AbstractAsyncContextManager[None],
        admission: Admission,
    ) -> None:
        self._admission = admission
        self._store = store
        self._passwords = passwords
        self._patience = patience
        self._people = people
        self._shares = Shares()
        self.sign_ins = SignInCounts()
        self._sessions = Sessions()
        self._verified = Verified(new_secret(""))
        self._changing = changing

    def load(self, loaded: LoadedAccounts) -> None:
        """Take over what is stored."""
        self._shares.load(loaded.shares)
        self._sessions.load(loaded.sessions, self._shares.rows(halves(loaded.sessions.accounts)))

    # Credentials

    def share_account_by_name(self, name: str) -> ShareCredential | None:
        """The credential a client calls by this name, whatever its case."""
        return self._share(self._shares.named(name))

    def share_account_by_id(self, account: str) -> ShareCredential | None:
        """The credential of this account id."""
        return self._share(self._shares.row(account.lower()))

    def check_free(self, name: str) -> None:
        """Refuse a name that cannot be one or is taken.

        Raises:
            CallerError: `MALFORMED` or `CONFLICT`.
        """
        if tidied_name(name) is None:
            raise CallerError(ErrorCode.MALFORMED, catalogue().say("account.name_malformed"))
        if self._shares.named(name) != NO_ROW:
            raise CallerError(ErrorCode.CONFLICT, catalogue().say("account.share_name_taken"))

    async def add(
        self, *, name: str, person: Person, hashed: str, credential: int, now_ms: int
    ) -> ShareCredential:
        """Keep a new credential.

        Raises:
            CallerError: The name is taken.
            PlatformError: It was not saved.
        """
        async with self._changing:
            self.check_free(name)
            share = ShareCredential(new_uuid(), tidied_name(name) or "", person.id, credential, now_ms)
            stored = StoredShare(share, hashed)
            await self._store.commit(AccountChange(shares=(stored,)))
            self._shares.put(stored)
        return share

    async def set_password(self, account: str, password: str) -> None:
        """Set a new password; every session of this account is over.

        Raises:
            CallerError: There is no such account, or the password cannot be one.
            PlatformError: It was not saved.
        """
        hashed = await self._passwords.hashed(password)
        async with self._changing:
            row = self._shares.row(account)
            if row == NO_ROW:
                raise CallerError(ErrorCode.NOT_FOUND, catalogue().say("account.no_such_person"))
            changed = StoredShare(self._shares.share(row), hashed)
            over = self._sessions.of_share(row)
            await self._store.commit(AccountChange(shares=(changed,), sessions_dropped=over))
            self._shares.put(changed)
            self._verified.forget(account)
            self._sessions.drop(over)

    async def share_verify_password(
        self, account: ShareCredential | None, password: str, *, peer: str, now_ms: int
    ) -> bool:
        """Whether it is the password; None is an account nobody has, and takes as long.

        Raises:
            CallerError: Too many wrong ones, too soon (`TRY_LATER`, with the field `retry_after_s`).
            PlatformError: Too many are signing in (`OVERLOADED`).
        """
        account_id = "" if account is None else account.account
        digest = self._verified.digest(account_id, password)
        if account is not None and self._verified.remembers(account_id, digest, now_ms):
            self.sign_ins.signed_in += 1
            return True
        # After a restart all of one household's clients come at once: they share one slow hash.
        return await self._passwords.together(
            (account_id, digest), lambda: self._verify(account_id, password, digest, peer, now_ms)
        )

    async def _verify(self, account: str, password: str, digest: bytes, peer: str, now_ms: int) -> bool:
        self._admission.check(Work.SIGN_IN, account)
        named = f"share {account}"
        wait_ms = self._patience.wait_ms(named, peer, now_ms)
        if wait_ms > 0:
            self.sign_ins.too_soon += 1
            seconds = -(-wait_ms // 1000)
            sentence = catalogue().say("account.try_later", seconds=seconds)
            raise CallerError(ErrorCode.TRY_LATER, sentence, retry_after_s=seconds)
        self._patience.begin(named, peer, now_ms)
        row = self._shares.row(account)
        stored = None if row == NO_ROW else self._shares.password(row)
        try:
            right = await self._passwords.matches(stored, password)
        except PlatformError:
            self.sign_ins.busy += 1
            self._patience.forgive(named, peer)  # nobody looked at the password
            raise
        if not right:
            self.sign_ins.refused += 1
        else:
            self.sign_ins.signed_in += 1
            self._patience.forgive(named, peer)
            if self._shares.password(row) == stored:  # the password may have been changed meanwhile
                self._verified.put(account, digest, now_ms)
        return right

    # Sessions

    async def share_session_open(self, account: ShareCredential, now_ms: int) -> str:
        """Open a session; its id is a lower-case UUID. Durable when this returns.

        Raises:
            PlatformError: It was not saved.
        """
        session_id = new_uuid()
        hashed = secret_hash(session_id)
        stored = StoredSession(hashed, account.account, now_ms, now_ms)
        async with self._changing:
            row = self._shares.row(account.account)
            crowded = self._sessions.crowded_out(row)
            await self._store.commit(AccountChange(sessions=(stored,), sessions_dropped=crowded))
            self._sessions.drop(crowded)
            self._sessions.put(hashed, row, now_ms)
        return session_id

    def share_session(self, session_id: str, now_ms: int) -> Identity | None:
        """Who this session is, if it holds now; it holds on for a day from here."""
        if len(session_id) != SESSION_ID_CHARS or not session_id.isascii():
            return None
        row = self._sessions.used(secret_hash(session_id.lower()), now_ms)
        if row == NO_ROW:
            return None
        high, low = self._shares.person(row)
        sharer = self._people.sharer_of(high, low)
        return Identity(
            id_text(high, low),
            SHARE_SCOPES,
            NOT_A_SHARER if sharer is None else sharer,
            self._shares.credential(row),
        )

    async def tend(self, now_ms: int) -> None:
        """Store when sessions were last used, and drop those that have run out.

        Raises:
            PlatformError: It was not saved; it is tried again the next time.
        """
        while await self._tend_some(now_ms):
            pass

    async def _tend_some(self, now_ms: int) -> bool:
        """A part of it, so that nobody who signs in waits for a million; whether there was any."""
        async with self._changing:
            over = self._sessions.over(now_ms, TENDED_AT_ONCE)
            touched = self._sessions.touched(self._shares, TENDED_AT_ONCE)
            if not over and not touched:
                return False
            await self._store.commit(AccountChange(sessions=touched, sessions_dropped=over))
            self._sessions.stored(touched)
            self._sessions.drop(over)
            return True

    def _share(self, row: int) -> ShareCredential | None:
        return None if row == NO_ROW else self._shares.share(row)
