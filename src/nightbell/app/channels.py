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
from nightbell.app.channel_addresses import FITS
from nightbell.app.channels_apps import app_channels, nobody_links
from nightbell.app.settings import Settings
from nightbell.tell.callback import Proofs
from nightbell.tell.channel import Channel, Checklist
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
    chosen = settings.twilio
    if not chosen.account_sid:
        return None
    return TwilioSettings(
        account_sid=chosen.account_sid,
        auth_token=chosen.auth_token.get_secret_value(),
        api_key_sid=chosen.api_key_sid,
        api_key_secret=chosen.api_key_secret.get_secret_value(),
        sms_from=chosen.sms_from,
        messaging_service_sid=chosen.messaging_service_sid,
        voice_from=chosen.voice_from,
        public_url=settings.public_url,
        api_url=chosen.api_url,
        sms_per_s=chosen.sms_per_s,
        calls_per_s=chosen.calls_per_s,
        notices_voicemail=chosen.notices_voicemail,
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
        hook = WebhookChannel(self._http, secret_of=secret_of, clock=clock)
        self.all: list[Channel] = [hook] if self._mail is None else [self._mail, hook]
        self._providers: list[HttpxOriginClient] = []
        phone = twilio_settings(settings)
        if phone is not None and phone.sends_sms:
            self.all.append(SmsChannel(self._provider(phone.api_url), phone, clock))
        if phone is not None and phone.makes_calls:
            self.all.append(VoiceChannel(self._provider(phone.api_url), phone))
        self.all += app_channels(
            settings, http=self._http, provider=self._provider, proofs=proofs, clock=clock, linked=linked
        )

    @property
    def fits(self) -> dict[str, Callable[[str], bool]]:
        """What an address of each channel that works looks like."""
        return {channel.name: FITS[channel.name] for channel in self.all}

    @property
    def good_for(self) -> dict[str, Checklist]:
        """What each channel that works is and is not good for."""
        return {channel.name: channel.checklist for channel in self.all}

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
