"""The ten trend arrows of the field, as a sensor sends them."""

from enum import IntEnum


class Trend(IntEnum):
    """A trend as sent by the source. The numbers are the Share protocol's before 2021, and are on disk."""

    NONE = 0
    DOUBLE_UP = 1
    SINGLE_UP = 2
    FORTY_FIVE_UP = 3
    FLAT = 4
    FORTY_FIVE_DOWN = 5
    SINGLE_DOWN = 6
    DOUBLE_DOWN = 7
    NOT_COMPUTABLE = 8
    RATE_OUT_OF_RANGE = 9

    @property
    def wire_name(self) -> str:
        """The name the Share protocol and Nightscout use, as `FortyFiveDown`."""
        return _WIRE_NAMES[self]


_WIRE_NAMES = (
    "None", "DoubleUp", "SingleUp", "FortyFiveUp", "Flat", "FortyFiveDown", "SingleDown", "DoubleDown",
    "NotComputable", "RateOutOfRange",
)  # fmt: skip
