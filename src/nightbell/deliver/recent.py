"""What was said lately, so that a screen that was away for a moment misses nothing it should have rung."""

from collections import OrderedDict, deque
from typing import Final, NamedTuple

from nightbell.alarm.effects import AlarmView, Notification
from nightbell.deliver.events import AnswerChange

EACH_MAX: Final = 16
"""How much is kept for one person or one sharer."""

KEYS_MAX: Final = 20_000
"""For how many persons and sharers something is kept: those of whom something was said last."""

Key = tuple[str, str | int]
"""("person", id) or ("sharer", number)."""


class Said(NamedTuple):
    """One numbered event, not yet in any viewer's form."""

    number: int
    about: AlarmView | AnswerChange | Notification


class Recent:
    """A bounded ring for each key; it knows up to which number something was lost."""

    def __init__(self) -> None:
        self._rings: OrderedDict[Key, deque[Said]] = OrderedDict()
        self._lost: dict[Key, int] = {}
        self._lost_anywhere = 0

    def add(self, key: Key, said: Said) -> None:
        """Keep one more; the oldest of this key, or the key that was quiet for longest, makes room."""
        ring = self._rings.setdefault(key, deque())
        self._rings.move_to_end(key)
        ring.append(said)
        if len(ring) > EACH_MAX:
            self._lost[key] = ring.popleft().number
        if len(self._rings) > KEYS_MAX:
            quiet, gone = self._rings.popitem(last=False)
            self._lost.pop(quiet, None)
            self._lost_anywhere = max(self._lost_anywhere, gone[-1].number)

    def since(self, key: Key, number: int) -> list[Said] | None:
        """What was said after `number`, oldest first; None if some of it is lost."""
        if number < max(self._lost_anywhere, self._lost.get(key, 0)):
            return None
        return [said for said in self._rings.get(key, ()) if said.number > number]
