"""The channels that ring in an app on the phone: Pushover, ntfy, Telegram. Each needs its settings."""

from collections.abc import Callable

import structlog

from nightbell.adapters.channels.ntfy.channel import NtfyChannel
from nightbell.adapters.channels.ntfy.settings import NtfySettings
from nightbell.adapters.channels.pushover.channel import PushoverChannel
from nightbell.adapters.channels.pushover.settings import PushoverSettings
from nightbell.adapters.channels.telegram.channel import TelegramChannel
from nightbell.adapters.channels.telegram.settings import TelegramSettings
from nightbell.adapters.channels.telegram.updates import Linked
from nightbell.app.settings import Settings
from nightbell.tell.callback import Proofs
from nightbell.tell.channel import Channel
from nightbell.tell.http import HttpClient, OriginClient
from nightbell.words.clock import Clock


def nobody_links(linked: Linked) -> None:
    """What becomes of a chat that wants to be linked where nobody takes it: a line in the log."""
    structlog.get_logger().info("telegram.link_not_taken", letters=len(linked.code))


def app_channels(
    settings: Settings,
    *,
    http: HttpClient,
    provider: Callable[[str], OriginClient],
    proofs: Proofs,
    clock: Clock,
    linked: Callable[[Linked], None],
) -> list[Channel]:
    """Those that the operator set up.

    Args:
        settings: What the operator chose.
        http: Goes where people ask us to, with care.
        provider: Makes a client that goes to one provider only.
        proofs: Makes the words by which answers are known.
        clock: The time of day.
        linked: Is told of Telegram chats that want to be linked.
    """
    channels: list[Channel] = []
    if token := settings.pushover.token.get_secret_value():
        pushover = PushoverSettings(
            token=token,
            sound=settings.pushover.sound,
            retry_s=settings.pushover.retry_s,
            public_url=settings.public_url,
            api=settings.pushover.api_url,
        )
        channels.append(PushoverChannel(provider(pushover.api), pushover, proofs=proofs, clock=clock))
    if server := settings.ntfy.server:
        ntfy = NtfySettings(
            server=server, token=settings.ntfy.token.get_secret_value(), public_url=settings.public_url
        )
        channels.append(NtfyChannel(provider(server), http, ntfy, proofs=proofs))
    if token := settings.telegram.token.get_secret_value():
        telegram = TelegramSettings(
            token=token, public_url=settings.public_url, api=settings.telegram.api_url
        )
        channels.append(TelegramChannel(provider(telegram.api), telegram, proofs=proofs, linked=linked))
    return channels
