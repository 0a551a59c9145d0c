"""How a provider can fail; every simulator knows all of them, each in its own protocol."""

from enum import StrEnum


class Fault(StrEnum):
    """What the provider does with what it is handed."""

    NONE = "none"  # takes it
    SLOW = "slow"  # takes it, after a while that is within the limit
    LATER = "later"  # not now
    NO = "no"  # never for this address
    NO_AT_THE_END = "no_at_the_end"  # says no only once it has read all of it
    MISTRUSTS_US = "mistrusts_us"  # it is about us, not about the receiver
    HANGS_AT_ONCE = "hangs_at_once"  # takes the connection, then says nothing
    HANGS_AT_THE_END = "hangs_at_the_end"  # reads all of it, then says nothing
    DRIPS = "drips"  # a byte now and then, for ever
    BREAKS_AT_ONCE = "breaks_at_once"  # takes the connection and resets it
    TAKES_AND_BREAKS = "takes_and_breaks"  # keeps it, then resets before it says so
    GONE = "gone"  # nobody listens
