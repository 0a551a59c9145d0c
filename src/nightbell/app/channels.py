"""The registry of channels: one line for each. One without its settings is left out, and the app says so."""

from collections.abc import Callable
from pathlib import Path

from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.adapters.channels.web_push.channel import WebPushChannel
from nightbell.adapters.channels.web_push.settings import WebPushSettings, is_contact
from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.http_client import HttpLimits, HttpxClient
from nightbell.adapters.stores.files.vapid import VAPID_NAME, kept_vapid_key
from nightbell.app.settings import Settings
from nightbell.tell.channel import Channel
from nightbell.tell.http import HttpClient
from nightbell.words.clock import Clock


def mail_channel(settings: Settings) -> EmailChannel | None:
    """E-mail as the operator set it up, or None if they did not."""
    smtp = settings.smtp
    if not smtp.host:
        return None
    safety = Safety.STARTTLS if smtp.starttls else Safety.TLS if smtp.tls else Safety.NONE
    return EmailChannel(
        EmailSettings(
            host=smtp.host,
            port=smtp.port,
            sender=smtp.sender,
            safety=safety,
            user=smtp.user,
            password=smtp.password.get_secret_value(),
        )
    )


def push_channel(
    settings: Settings, http: HttpClient, clock: Clock, *, url: str, keys: Path
) -> WebPushChannel | None:
    """Web Push, if a push service can know whom to write to; else None.

    Args:
        settings: What the operator chose.
        http: The way out.
        clock: The time of day.
        url: What people type to reach us.
        keys: The folder of keys; ours is made there where there is none.
    """
    contact = settings.web_push.contact or url
    if not is_contact(contact):
        return None
    sender = WebPushSettings(contact=contact, public_url=url)
    return WebPushChannel(http, sender, key=kept_vapid_key(keys / VAPID_NAME), clock=clock)


class Channels:
    """The channels that can work with these settings.

    Args:
        settings: What the operator chose.
        clock: The time of day.
        secret_of: Gives the secret that signs a person's webhook.
        url: What people type to reach us.
        keys: The folder of keys.
    """

    def __init__(
        self, settings: Settings, clock: Clock, secret_of: Callable[[str], str], *, url: str, keys: Path
    ) -> None:
        private = settings.allow_private_webhooks
        self._http = HttpxClient(HttpLimits(private_allowed=private, plain_allowed=private))
        self._mail = mail_channel(settings)
        webhook = WebhookChannel(self._http, secret_of=secret_of, clock=clock)
        self._push = push_channel(settings, self._http, clock, url=url, keys=keys)
        found: list[Channel | None] = [self._mail, webhook, self._push]
        self.all: list[Channel] = [channel for channel in found if channel is not None]

    @property
    def push_key(self) -> str:
        """What a page subscribes to pushes with; empty where none are offered."""
        return self._push.public_key if self._push is not None else ""

    async def close(self) -> None:
        """Close what they hold open."""
        await self._http.close()
        if self._mail is not None:
            await self._mail.close()
