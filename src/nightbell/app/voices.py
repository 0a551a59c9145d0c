"""What people say through providers (a key pressed, a button in a chat), put in the words of this house."""

from nightbell.account.identity import FOLLOW, Identity
from nightbell.account.person import NOT_A_SHARER
from nightbell.alarm.effects import AlarmState
from nightbell.alarm.service import Evaluation
from nightbell.answer.service import Answers
from nightbell.words.clock import Clock

NO_CREDENTIAL = 0
"""A key pressed on a phone is nobody's credential of ours: the provider vouches for it."""


class ProviderVoices:
    """The person to whom a message went has spoken: as if they had said it on one of our pages."""

    def __init__(self, answers: Answers, evaluation: Evaluation, clock: Clock) -> None:
        self._answers = answers
        self._evaluation = evaluation
        self._clock = clock

    async def answered(self, alarm: str, person: str, covers: int) -> None:
        """They have it, as far as they were told. Said twice it holds no longer than said once.

        Raises:
            CallerError: It is over, or they may see nothing any more.
            PlatformError: It could not be written down; it goes on ringing.
        """
        view = self._evaluation.open_alarm(alarm)
        if view is None or view.answered_by != person or view.state is not AlarmState.ANSWERED:
            now_ms = self._clock.now_ms()
            await self._answers.take(alarm=alarm, identity=_caller(person), now_ms=now_ms, covers=covers)

    async def passed_on(self, alarm: str, person: str) -> None:
        """They ask for the next one to be called.

        Raises:
            CallerError: As `answered`.
            PlatformError: As `answered`.
        """
        await self._answers.pass_on(alarm=alarm, identity=_caller(person), now_ms=self._clock.now_ms())


def _caller(person: str) -> Identity:
    return Identity(person, frozenset({FOLLOW}), NOT_A_SHARER, NO_CREDENTIAL)
