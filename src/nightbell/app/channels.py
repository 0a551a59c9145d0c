"""The registry of channels: one line for each. One without its settings is left out, and the app says so."""

from collections.abc import Callable

from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.adapters.channels.telegram.updates import Linked
from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.adapters.channels.twilio.sms import SmsChannel
from nightbell.adapters.channels.twilio.voice import VoiceChannel
from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.http_client import HttpLimits, HttpxClient, HttpxOriginClient
from nightbell.app.channels_apps import app_channels, nobody_links
from nightbell.app.settings import Settings
from nightbell.tell.callback import Proofs
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


def twilio_settings(settings: Settings) -> TwilioSettings | None:
    """The account at Twilio, or None if there is none."""
    twilio = settings.twilio
    if not twilio.account_sid:
        return None
    return TwilioSettings(
        account_sid=twilio.account_sid,
        auth_token=twilio.auth_token.get_secret_value(),
        api_key_sid=twilio.api_key_sid,
        api_key_secret=twilio.api_key_secret.get_secret_value(),
        sms_from=twilio.sms_from,
        messaging_service_sid=twilio.messaging_service_sid,
        voice_from=twilio.voice_from,
        public_url=settings.public_url,
        api_url=twilio.api_url,
        sms_per_s=twilio.sms_per_s,
        calls_per_s=twilio.calls_per_s,
        notices_voicemail=twilio.notices_voicemail,
    )


class Channels:
    """The channels that can work with these settings.

    Args:
        settings: What the operator chose.
        clock: The time of day.
        secret_of: Gives the secret that signs a person's webhook.
        proofs: Makes the words by which answers that come back are known.
        linked: Is told of Telegram chats that want to be linked.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        secret_of: Callable[[str], str],
        proofs: Proofs,
        linked: Callable[[Linked], None] = nobody_links,
    ) -> None:
        private = settings.allow_private_webhooks
        self._http = HttpxClient(HttpLimits(private_allowed=private, plain_allowed=private))
        self._mail = mail_channel(settings)
        webhook = WebhookChannel(self._http, secret_of=secret_of, clock=clock)
        self.all: list[Channel] = [webhook] if self._mail is None else [self._mail, webhook]
        self._providers: list[HttpxOriginClient] = []
        twilio = twilio_settings(settings)
        if twilio is not None and twilio.sends_sms:
            self.all.append(SmsChannel(self._provider(twilio.api_url), twilio, clock))
        if twilio is not None and twilio.makes_calls:
            self.all.append(VoiceChannel(self._provider(twilio.api_url), twilio))
        self.all += app_channels(
            settings, http=self._http, provider=self._provider, proofs=proofs, clock=clock, linked=linked
        )

    def _provider(self, origin: str) -> HttpxOriginClient:
        """A client for one channel's provider: one that hangs fills no other's connections."""
        client = HttpxOriginClient(origin)
        self._providers.append(client)
        return client

    async def close(self) -> None:
        """Close what they hold open."""
        await self._http.close()
        for client in self._providers:
            await client.close()
        if self._mail is not None:
            await self._mail.close()
