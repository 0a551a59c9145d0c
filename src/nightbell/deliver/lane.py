"""A lane: what waits to be sent through one channel. Pure: it neither sends nor asks for the time.

One notification waits for each (alarm, follow, way): a newer one takes the older one's place in the queue, so
a channel that was away for an hour comes back with one message a person, not twelve, and nobody is pushed to
the end of the queue again and again. Urgent ones go before the others, and the most urgent condition first.
"""

import heapq
from typing import Final, NamedTuple

from nightbell.alarm.effects import Notification
from nightbell.deliver.record import Delivery
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition

_RANK: Final = {
    condition: rank
    for rank, condition in enumerate(
        (
            Condition.URGENT_LOW,
            Condition.URGENT_LOW_SOON,
            Condition.LOW,
            Condition.FALLING_FAST,
            Condition.NO_READINGS,
            Condition.URGENT_HIGH,
            Condition.URGENT_HIGH_SOON,
            Condition.HIGH,
            Condition.RISING_FAST,
        )
    )
}
"""Who goes first when a channel has more to send than it can: what harms soonest."""

_LAST_RANK: Final = len(_RANK)

Place = tuple[str, int, str]
"""(alarm, follow, way): for whom, about what and where to. One notification waits for each."""


class Item(NamedTuple):
    """One delivery on its way, with what it is about."""

    delivery: Delivery
    notification: Notification

    @property
    def place(self) -> Place:
        """Where it waits."""
        return self.notification.alarm, self.notification.follow, self.delivery.channel


class Lane:
    """What waits for one channel, ready or due later."""

    def __init__(self) -> None:
        self._items: dict[Place, Item] = {}
        self._later: list[tuple[int, Place, str]] = []
        self._ready: list[tuple[int, int, Place, str]] = []
        self._again: list[tuple[int, int, Place, str]] = []
        self._ready_since: dict[Place, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> Item | None:
        """Add; return what must be settled as overtaken: the older of two for the same place, or nothing."""
        place = item.place
        known = self._items.get(place)
        if known is not None:
            if known.delivery.notification == item.delivery.notification:
                return None
            if known.notification.step > item.notification.step:
                return item
        self._items[place] = item
        since_ms = self._ready_since.get(place)
        if since_ms is None:
            heapq.heappush(self._later, (item.delivery.due_ms, place, item.delivery.notification))
        else:
            self._make_ready(item, since_ms)
        return known

    def oldest_ms(self) -> int:
        """When the oldest that waits was decided; 0 if nothing waits. Looks at all: for health only."""
        return min((item.notification.at_ms for item in self._items.values()), default=0)

    def take(self, now_ms: int, *, again: bool = True) -> Item | None:
        """Take out what is to be sent next, if anything is due; without `again`, only first tries."""
        while self._later and self._later[0][0] <= now_ms:
            due_ms, place, notification = heapq.heappop(self._later)
            item = self._items.get(place)
            if item is not None and item.delivery.notification == notification:
                self._make_ready(item, due_ms)
        while queue := self._next_queue(again=again):
            _, _, place, notification = heapq.heappop(queue)
            item = self._items.get(place)
            if item is not None and item.delivery.notification == notification:
                del self._items[place]
                self._ready_since.pop(place, None)
                return item
        return None

    def next_due_ms(self) -> int:
        """When to look again; may be early, never late."""
        if self._ready or self._again:
            return 0
        return self._later[0][0] if self._later else NEVER_MS

    def holds(self, delivery: Delivery, place: Place) -> bool:
        """Whether this very delivery waits here."""
        item = self._items.get(place)
        return item is not None and item.delivery.notification == delivery.notification

    def _next_queue(self, *, again: bool) -> list[tuple[int, int, Place, str]]:
        """Where the next one stands: first tries and later ones each have their own line."""
        if not again or not self._again:
            return self._ready
        return min(self._ready, self._again, key=lambda queue: queue[0]) if self._ready else self._again

    def _make_ready(self, item: Item, since_ms: int) -> None:
        self._ready_since[item.place] = since_ms
        queue = self._again if item.delivery.tries else self._ready
        heapq.heappush(queue, (_rank(item), since_ms, item.place, item.delivery.notification))


def _rank(item: Item) -> int:
    if not item.notification.urgent:
        return _LAST_RANK
    return _RANK[Condition(item.notification.condition)]
