"""Share accounts: old clients' own sign-in and their sessions, which outlive a restart."""

from contextlib import AbstractAsyncContextManager
from typing import Final

from nightbell.account.book import People
from nightbell.account.counts import SignInCounts
from nightbell.account.identity import SHARE_SCOPES, Identity
from nightbell.account.patience import Patience
from nightbell.account.person import NOT_A_SHARER, Person, folded, tidied_name
from nightbell.account.ports import (
    AccountChange,
    AccountStore,
    LoadedAccounts,
    Passwords,
    StoredSession,
    StoredShare,
)
from nightbell.account.share import Session, Sessions, ShareCredential, Verified
from nightbell.load.gate import Work
from nightbell.load.service import Admission
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.identity import new_secret, new_uuid, secret_hash

SESSION_ID_CHARS: Final = 36


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
        self._shares: dict[str, StoredShare] = {}
        self._named: dict[str, str] = {}
        self.sign_ins = SignInCounts()
        self._sessions = Sessions()
        self._verified = Verified(new_secret(""))
        self._changing = changing

    def load(self, loaded: LoadedAccounts) -> None:
        """Take over what is stored."""
        for stored in loaded.shares:
            self._put(stored)
        for one in loaded.sessions:
            if one.account in self._shares:
                self._sessions.put(one.id_hash, Session(one.account, one.opened_ms, one.used_ms))

    # Credentials

    def share_account_by_name(self, name: str) -> ShareCredential | None:
        """The credential a client calls by this name, whatever its case."""
        return self.share_account_by_id(self._named.get(folded(name), ""))

    def share_account_by_id(self, account: str) -> ShareCredential | None:
        """The credential of this account id."""
        stored = self._shares.get(account.lower())
        return None if stored is None else stored.share

    def check_free(self, name: str) -> None:
        """Refuse a name that cannot be one or is taken.

        Raises:
            CallerError: `MALFORMED` or `CONFLICT`.
        """
        if tidied_name(name) is None:
            raise CallerError(ErrorCode.MALFORMED, catalogue().say("account.name_malformed"))
        if folded(name) in self._named:
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
            self._put(stored)
        return share

    async def set_password(self, account: str, password: str) -> None:
        """Set a new password; every session of this account is over.

        Raises:
            CallerError: There is no such account, or the password cannot be one.
            PlatformError: It was not saved.
        """
        hashed = await self._passwords.hashed(password)
        async with self._changing:
            stored = self._shares.get(account)
            if stored is None:
                raise CallerError(ErrorCode.NOT_FOUND, catalogue().say("account.no_such_person"))
            changed = StoredShare(stored.share, hashed)
            over = self._sessions.of_account(account)
            await self._store.commit(AccountChange(shares=(changed,), sessions_dropped=over))
            self._put(changed)
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
        stored = self._shares.get(account)
        try:
            right = await self._passwords.matches(None if stored is None else stored.password, password)
        except PlatformError:
            self.sign_ins.busy += 1
            self._patience.forgive(named, peer)  # nobody looked at the password
            raise
        if not right:
            self.sign_ins.refused += 1
        else:
            self.sign_ins.signed_in += 1
            self._patience.forgive(named, peer)
            if self._shares.get(account) is stored:  # the password may have been changed meanwhile
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
            crowded = self._sessions.crowded_out(account.account)
            await self._store.commit(AccountChange(sessions=(stored,), sessions_dropped=crowded))
            self._sessions.drop(crowded)
            self._sessions.put(hashed, Session(account.account, now_ms, now_ms))
        return session_id

    def share_session(self, session_id: str, now_ms: int) -> Identity | None:
        """Who this session is, if it holds now; it holds on for a day from here."""
        if len(session_id) != SESSION_ID_CHARS or not session_id.isascii():
            return None
        session = self._sessions.used(secret_hash(session_id.lower()), now_ms)
        if session is None:
            return None
        share = self._shares[session.account].share
        person = self._people.person(share.person)
        sharer = NOT_A_SHARER if person is None else person.sharer
        return Identity(share.person, SHARE_SCOPES, sharer, share.credential)

    async def tend(self, now_ms: int) -> None:
        """Store when sessions were last used, and drop those that have run out.

        Raises:
            PlatformError: It was not saved; it is tried again the next time.
        """
        async with self._changing:
            over = self._sessions.over(now_ms)
            touched = self._sessions.touched()
            if not over and not touched:
                return
            rows = tuple(
                StoredSession(hashed, session.account, session.opened_ms, session.used_ms)
                for hashed, session in touched
            )
            await self._store.commit(AccountChange(sessions=rows, sessions_dropped=over))
            self._sessions.drop(over)
            for row, (_, session) in zip(rows, touched, strict=True):
                session.stored_ms = row.used_ms

    def _put(self, stored: StoredShare) -> None:
        self._shares[stored.share.account] = stored
        self._named[folded(stored.share.name)] = stored.share.account
