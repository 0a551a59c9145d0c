"""The registry of channels: one line for each."""

from nightbell.app.settings import Settings
from nightbell.tell.channel import Channel
from nightbell.words.clock import Clock


def make_channels(settings: Settings, clock: Clock) -> list[Channel]:
    """The channels that can work with these settings."""
    return []
