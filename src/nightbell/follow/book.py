"""Every follow and every open invitation, in memory: what every look and every alarm asks."""

from collections.abc import Iterator

from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.ports import StoredInvitation


class FollowBook:
    """Follows by number, by id, and by the two people."""

    def __init__(self) -> None:
        self._follows: list[Follow | None] = []
        self._ids: dict[str, int] = {}
        self._of_sharer: dict[str, tuple[int, ...]] = {}
        self._of_follower: dict[str, list[int]] = {}

    @property
    def next_number(self) -> int:
        """The number the next follow gets."""
        return len(self._follows)

    def keep_free(self, upto: int) -> None:
        """Never give out numbers up to this one."""
        missing = upto + 1 - len(self._follows)
        self._follows.extend([None] * missing)

    def put(self, follow: Follow) -> None:
        """Add or replace one."""
        number = follow.number
        self.keep_free(number)
        known = self._follows[number]
        self._follows[number] = follow
        if known is None:
            self._ids[follow.id] = number
        was_live = known is not None and known.state is not FollowState.ENDED
        is_live = follow.state is not FollowState.ENDED
        if is_live and not was_live:
            self._of_sharer[follow.sharer] = (*self._of_sharer.get(follow.sharer, ()), number)
            self._of_follower.setdefault(follow.follower, []).append(number)
        if was_live and not is_live:
            mine = self._of_sharer[follow.sharer]
            self._of_sharer[follow.sharer] = tuple(one for one in mine if one != number)
            self._of_follower[follow.follower].remove(number)

    def numbered(self, number: int) -> Follow | None:
        """The follow of this number."""
        return self._follows[number] if 0 <= number < len(self._follows) else None

    def follow(self, follow_id: str) -> Follow | None:
        """The follow of this id."""
        return self.numbered(self._ids.get(follow_id, -1))

    def of_sharer(self, person_id: str) -> list[Follow]:
        """Who follows this person."""
        return list(self._some(self._of_sharer.get(person_id, ())))

    def of_follower(self, person_id: str) -> list[Follow]:
        """Whom this person follows."""
        return list(self._some(self._of_follower.get(person_id, ())))

    def between(self, sharer: str, follower: str) -> Follow | None:
        """The follow between the two, unless it has ended."""
        # By the sharer: they have twenty at most, where a clinic follows thousands.
        for follow in self._some(self._of_sharer.get(sharer, ())):
            if follow.follower == follower:
                return follow
        return None

    def live(self) -> Iterator[Follow]:
        """All that have not ended."""
        return (one for one in self.everything() if one.state is not FollowState.ENDED)

    def everything(self) -> Iterator[Follow]:
        """All, ended ones too."""
        return (follow for follow in self._follows if follow is not None)

    def _some(self, numbers: tuple[int, ...] | list[int]) -> Iterator[Follow]:
        for number in numbers:
            follow = self._follows[number]
            if follow is not None:
                yield follow


class Invitations:
    """Open invitations by the hash of their secret, and by sharer."""

    def __init__(self) -> None:
        self._opens: dict[bytes, StoredInvitation] = {}
        self._of_sharer: dict[str, dict[str, StoredInvitation]] = {}

    def put(self, invitation: StoredInvitation) -> None:
        """Add one."""
        self._opens[invitation.secret_hash] = invitation
        self._of_sharer.setdefault(invitation.sharer, {})[invitation.id] = invitation

    def drop(self, invitation: StoredInvitation) -> None:
        """It was used, taken back, or ran out."""
        self._opens.pop(invitation.secret_hash, None)
        mine = self._of_sharer.get(invitation.sharer, {})
        mine.pop(invitation.id, None)
        if not mine:
            self._of_sharer.pop(invitation.sharer, None)

    def opened_by(self, secret_hash: bytes, now_ms: int) -> StoredInvitation | None:
        """The invitation with this secret, if it can still be accepted."""
        found = self._opens.get(secret_hash)
        return found if found is not None and now_ms < found.expires_ms else None

    def of_sharer(self, person_id: str, now_ms: int) -> list[StoredInvitation]:
        """One sharer's open invitations, oldest first."""
        mine = self._of_sharer.get(person_id, {}).values()
        return [one for one in mine if now_ms < one.expires_ms]

    def over(self, now_ms: int) -> list[StoredInvitation]:
        """Those that have run out."""
        return [one for one in self._opens.values() if now_ms >= one.expires_ms]
