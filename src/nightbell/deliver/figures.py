"""How telling people went since the start, for whoever measures: counted for each notification told."""

from collections import Counter
from collections.abc import Callable, Iterable

from nightbell.alarm.effects import Notification, NotificationKind
from nightbell.deliver.board import Change
from nightbell.deliver.outbox import channel_of
from nightbell.deliver.record import Delivery, DeliveryState
from nightbell.words.conditions import Condition
from nightbell.words.histogram import HUMAN_S, Histogram


class DeliverFigures:
    """Counts of notifications, and how soon people were told and answered. Canaries are kept apart.

    Args:
        canary: Whether a sharer's number is that of a canary.

    Attributes:
        settled: How many notifications ended how, by channel and state.
        receipts: How many receipts came, by channel and kind; the same one may come twice.
        told_people: Measured to told by channel: from a reading to the first ring about it.
        told_canary: The same for canaries, which ring all the time.
        answered: Told to answered: from the first ring of an alarm to "I've got it".
    """

    def __init__(self, channels: Iterable[str], canary: Callable[[int], bool]) -> None:
        names = tuple(channels)
        self._canary = canary
        self.settled: Counter[tuple[str, str]] = Counter()
        self.receipts: Counter[tuple[str, str]] = Counter()
        self.told_people = {channel: Histogram(HUMAN_S) for channel in names}
        self.told_canary = {channel: Histogram(HUMAN_S) for channel in names}
        self.answered = Histogram(HUMAN_S)

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        """Count what has come to its end."""
        for one in deliveries:
            if one.state is not DeliveryState.WAITING:
                self.settled[channel_of(one.channel), one.state.value] += 1

    def told(self, notification: Notification, channel: str, now_ms: int) -> None:
        """A notification was handed over. A first ring about a reading counts; silence has no reading."""
        if (
            notification.kind is not NotificationKind.RING
            or notification.unseen
            or not notification.measured_ms
            or notification.condition == Condition.NO_READINGS
        ):
            return
        which = self.told_canary if self._canary(notification.sharer) else self.told_people
        which[channel_of(channel)].add_one((now_ms - notification.measured_ms) / 1000)

    def changed(self, changes: Iterable[Change]) -> None:
        """Alarms changed: those that somebody took are counted once."""
        for before, after in changes:
            taken = after.answered_by and after.raised_ms and not self._canary(after.sharer)
            if taken and before is not None and not before.answered_by:
                self.answered.add_one((after.answered_ms - after.raised_ms) / 1000)
