"""The registry of channels: one line for each. One without its settings is left out, and the app says so."""

from collections.abc import Callable

from nightbell.adapters.channels.apprise.channel import AppriseChannel
from nightbell.adapters.channels.apprise.settings import AppriseSettings
from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import BouncesSettings, EmailSettings, Safety
from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.http_client import HttpLimits, HttpxClient
from nightbell.app.settings import Settings
from nightbell.tell.callback import Proofs
from nightbell.tell.channel import Channel
from nightbell.words.clock import Clock


def bounces_settings(settings: Settings) -> BouncesSettings | None:
    """The mailbox that letters come back to, or None if nobody is to look."""
    bounces = settings.bounces
    if not bounces.host:
        return None
    return BouncesSettings(
        host=bounces.host,
        port=bounces.port,
        user=bounces.user,
        password=bounces.password.get_secret_value(),
        folder=bounces.folder,
        tls=bounces.tls,
    )


def mail_channel(settings: Settings, proofs: Proofs | None = None) -> EmailChannel | None:
    """E-mail as the operator set it up, or None; without proofs nobody looks for bounces."""
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
        ),
        proofs=proofs,
        bounces=bounces_settings(settings),
    )


class Channels:
    """The channels that can work with these settings.

    Args:
        settings: What the operator chose.
        clock: The time of day.
        secret_of: Gives the secret that signs a person's webhook.
        proofs: Makes the words by which what comes back is known to be ours.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        secret_of: Callable[[str], str],
        proofs: Proofs | None = None,
    ) -> None:
        private = settings.allow_private_webhooks
        self._http = HttpxClient(HttpLimits(private_allowed=private, plain_allowed=private))
        self._mail = mail_channel(settings, proofs)
        webhook = WebhookChannel(self._http, secret_of=secret_of, clock=clock)
        self.all: list[Channel] = [webhook] if self._mail is None else [self._mail, webhook]
        self._apprise = AppriseChannel(AppriseSettings(private_allowed=private))
        if settings.apprise.offered:
            self.all.append(self._apprise)

    async def close(self) -> None:
        """Close what they hold open."""
        await self._http.close()
        await self._apprise.close()
        if self._mail is not None:
            await self._mail.close()
