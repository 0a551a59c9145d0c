"""Takes what a person says, checks who it is, journals it, and waits until it has taken effect."""

from nightbell.account.identity import FOLLOW, Identity
from nightbell.alarm.alarm import UNDO_MS
from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.answer.ports import Alarms, FactLog, KnowsFollows, Sees
from nightbell.answer.rules import UNDO_GRACE_MS, WARM_UP_MINUTES_MAX, snooze_minutes_max
from nightbell.follow.follow import Follow, Sight
from nightbell.journal.facts import EVERYTHING, Answered, AnswerUndone, PassedOn, SensorStarted, Snoozed
from nightbell.words.catalogue import catalogue
from nightbell.words.conditions import Family
from nightbell.words.errors import CallerError, ErrorCode

MINUTE_MS = 60_000


class Answers:
    """What people say back."""

    def __init__(self, log: FactLog, alarms: Alarms, access: Sees, follows: KnowsFollows) -> None:
        self._log = log
        self._alarms = alarms
        self._access = access
        self._follows = follows

    async def take(
        self, *, alarm: str, identity: Identity, now_ms: int, covers: int = EVERYTHING
    ) -> AlarmView:
        """Take "I've got it": stops the ringing for everybody, for what rang so far.

        `covers` is the urgency that this person was told of, where they do not see the alarm as it is now: if
        more has rung since, for whomever, it rings on.

        Returns:
            The alarm as it stands afterwards.

        Raises:
            CallerError: NOT_FOUND if there is no such open alarm for this person, CONFLICT if nothing rings.
            PlatformError: NOT_DURABLE if it could not be written down; the alarm goes on ringing.
        """
        view = self._visible(alarm, identity)
        if view.state is AlarmState.PENDING:
            raise _refused(ErrorCode.CONFLICT, "answer.nothing_rings")
        by_sharer = self._access.is_sharer(identity.person, view.sharer)
        await self._log.append_fact(Answered(now_ms, alarm, identity.person, by_sharer, covers))
        return await self._afterwards(view)

    async def pass_on(self, *, alarm: str, identity: Identity, now_ms: int) -> AlarmView:
        """Take "call the next one": nobody has it, and the next step of the ladder comes now.

        Raises:
            CallerError: NOT_FOUND as in `take`.
            PlatformError: NOT_DURABLE; the ladder goes on in its own time.
        """
        view = self._visible(alarm, identity)
        await self._log.append_fact(PassedOn(now_ms, alarm, identity.person))
        return await self._afterwards(view)

    async def undo(self, *, alarm: str, identity: Identity, now_ms: int) -> AlarmView:
        """Take the answer back, within five seconds of giving it.

        Raises:
            CallerError: NOT_FOUND as in `take`; EXPIRED if the five seconds are over or somebody else has it.
            PlatformError: NOT_DURABLE; the answer then still stands.
        """
        view = self._visible(alarm, identity)
        if view.answered_by != identity.person or now_ms > view.answered_ms + UNDO_MS + UNDO_GRACE_MS:
            raise _refused(ErrorCode.EXPIRED, "answer.too_late")
        at_ms = min(now_ms, view.answered_ms + UNDO_MS)
        await self._log.append_fact(AnswerUndone(at_ms, alarm, identity.person))
        return await self._afterwards(view)

    async def snooze(
        self, *, follow_id: str, family: Family, minutes: int, identity: Identity, now_ms: int
    ) -> None:
        """Leave this follower in peace about one family for a while; 0 ends that now. Never hides urgent low.

        Raises:
            CallerError: NOT_FOUND if it is not their follow; GUARDRAIL if it is too long.
            PlatformError: NOT_DURABLE; nothing was changed.
        """
        follow = self._own(follow_id, identity)
        longest = snooze_minutes_max(family)
        if not 0 <= minutes <= longest:
            raise _refused(ErrorCode.GUARDRAIL, "answer.snooze_too_long", minutes=longest)
        until_ms = now_ms + minutes * MINUTE_MS
        await self._log.append_fact(Snoozed(now_ms, follow.number, family.value, until_ms, identity.person))
        await self._alarms.caught_up()

    async def sensor_started(self, *, identity: Identity, warm_up_minutes: int, now_ms: int) -> None:
        """A new sensor is warming up: no readings are expected for a while. Ends by itself.

        Raises:
            CallerError: NOT_ALLOWED if this person does not share; GUARDRAIL if it is too long.
            PlatformError: NOT_DURABLE; nothing was changed.
        """
        if identity.sharer < 0 or FOLLOW not in identity.scopes:
            raise _refused(ErrorCode.NOT_ALLOWED, "answer.not_a_sharer")
        if not 0 <= warm_up_minutes <= WARM_UP_MINUTES_MAX:
            raise _refused(ErrorCode.GUARDRAIL, "answer.warm_up_too_long", minutes=WARM_UP_MINUTES_MAX)
        until_ms = now_ms + warm_up_minutes * MINUTE_MS
        await self._log.append_fact(SensorStarted(now_ms, identity.sharer, until_ms, identity.person))
        await self._alarms.caught_up()

    def _visible(self, alarm: str, identity: Identity) -> AlarmView:
        """An open alarm that this person may see; nothing else can be told apart from there being none."""
        view = self._alarms.open_alarm(alarm)
        if view is None or self._access.may_see(viewer=identity, sharer=view.sharer) is Sight.NOTHING:
            raise _refused(ErrorCode.NOT_FOUND, "answer.no_such_alarm")
        return view

    def _own(self, follow_id: str, identity: Identity) -> Follow:
        follow = self._follows.follow(follow_id)
        if follow is None or follow.follower != identity.person or FOLLOW not in identity.scopes:
            raise _refused(ErrorCode.NOT_FOUND, "answer.no_such_follow")
        return follow

    async def _afterwards(self, before: AlarmView) -> AlarmView:
        await self._alarms.caught_up()
        return self._alarms.open_alarm(before.id) or before


def _refused(code: ErrorCode, key: str, **slots: int) -> CallerError:
    return CallerError(code, catalogue().say(key, **slots), **slots)
