"""How much a way of telling somebody disturbs them. A ladder climbs from one tier to the next."""

from enum import IntEnum


class Tier(IntEnum):
    """What a step of a ladder goes through. The numbers are on disk."""

    NUDGE = 0  # open screens, push, chat, mail, a machine of one's own: may be slept through
    INSIST = 1  # apps that ring until somebody answers
    CALL = 2  # a text message and a call
