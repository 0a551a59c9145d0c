"""The registry of channels: one line for each. One without its settings is left out, and the app says so."""

from collections.abc import Callable

from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.http_client import HttpLimits, HttpxClient
from nightbell.app.settings import Settings
from nightbell.tell.channel import Channel
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


def make_channels(settings: Settings, clock: Clock, secret_of: Callable[[str], str]) -> list[Channel]:
    """The channels that can work with these settings; `secret_of` gives a person's webhook secret."""
    private = settings.allow_private_webhooks
    http = HttpxClient(HttpLimits(private_allowed=private, plain_allowed=private))
    channels: list[Channel] = [WebhookChannel(http, secret_of=secret_of, clock=clock)]
    mail = mail_channel(settings)
    return [mail, *channels] if mail else channels
