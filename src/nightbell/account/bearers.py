"""Who a bearer is: a grant or a key that holds now, from memory alone.

`uploader` is what the door asks for every reading: of `identify` the two numbers that it needs, without the
texts that take a third of the time.
"""

from typing import Final

from nightbell.account.book import Keys, OpenedKey, People, identity_of
from nightbell.account.grant_service import Grants
from nightbell.account.identity import KEY_SCOPES, PUBLISH, Identity, Uploader
from nightbell.account.packed import id_halves, id_text
from nightbell.account.person import NOT_A_SHARER
from nightbell.words.identity import secret_hash

KEY_PREFIX: Final = "nbk_"
KEY_CHARS_MAX: Final = 64

_KEY_SCOPES: Final = {scope: frozenset({scope}) for scope in KEY_SCOPES}


class Bearers:
    """Looks bearers up."""

    def __init__(self, people: People, keys: Keys, grants: Grants) -> None:
        self._people = people
        self._keys = keys
        self._grants = grants

    def identify(self, bearer: str, now_ms: int) -> Identity | None:
        """Who this bearer is; None if nobody any more."""
        if bearer.startswith(KEY_PREFIX):
            return self._identify_key(bearer)
        grant = self._grants.holding(bearer, now_ms)
        sharer = None if grant is None else self._people.sharer_of(*id_halves(grant.person))
        return None if grant is None or sharer is None else identity_of(grant, sharer)

    def uploader(self, bearer: str, now_ms: int) -> Uploader | None:
        """For whom this bearer publishes; None if for nobody: `identify` then knows what it is."""
        if bearer.startswith(KEY_PREFIX):
            key = self._key(bearer)
            if key is None or key.scope != PUBLISH:
                return None
            person, credential = key.person, key.credential
        else:
            grant = self._grants.holding(bearer, now_ms)
            if grant is None or PUBLISH not in grant.scopes:
                return None
            person, credential = id_halves(grant.person), grant.credential
        sharer = self._people.sharer_of(*person)
        return None if sharer is None or sharer == NOT_A_SHARER else Uploader(sharer, credential)

    def _key(self, bearer: str) -> OpenedKey | None:
        if len(bearer) > KEY_CHARS_MAX or not bearer.isascii():
            return None
        key = self._keys.opened_by(secret_hash(bearer))
        return None if key is None or self._grants.is_withdrawn(key.credential) else key

    def _identify_key(self, bearer: str) -> Identity | None:
        key = self._key(bearer)
        sharer = None if key is None else self._people.sharer_of(*key.person)
        if key is None or sharer is None:
            return None
        if key.scope != PUBLISH:
            sharer = NOT_A_SHARER
        return Identity(id_text(*key.person), _KEY_SCOPES[key.scope], sharer, key.credential)
