"""The registry of channels: one line for each. One without its settings is left out, and the app says so."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nightbell.adapters.channels.apprise import address as apprise
from nightbell.adapters.channels.apprise.channel import AppriseChannel
from nightbell.adapters.channels.apprise.settings import AppriseSettings
from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import BouncesSettings, EmailSettings, Safety
from nightbell.adapters.channels.telegram.updates import Linked
from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.adapters.channels.twilio.sms import SmsChannel
from nightbell.adapters.channels.twilio.voice import VoiceChannel
from nightbell.adapters.channels.web_push.channel import WebPushChannel
from nightbell.adapters.channels.web_push.settings import WebPushSettings, is_contact
from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.http_client import HttpLimits, HttpxClient, HttpxOriginClient
from nightbell.adapters.stores.files.vapid import VAPID_NAME, kept_vapid_key
from nightbell.app.channel_addresses import FITS
from nightbell.app.channels_apps import app_channels, nobody_links
from nightbell.app.settings import Settings
from nightbell.tell.callback import Proofs
from nightbell.tell.channel import Channel, Checklist
from nightbell.tell.http import HttpClient
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
        proofs: Makes the words by which answers that come back are known.
        url: What people type to reach us.
        keys: The folder of keys.
        linked: Is told of Telegram chats that want to be linked.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        secret_of: Callable[[str], str],
        proofs: Proofs,
        *,
        url: str,
        keys: Path,
        linked: Callable[[Linked], None] = nobody_links,
    ) -> None:
        self._private = private = settings.allow_private_webhooks
        self._http = HttpxClient(HttpLimits(private_allowed=private, plain_allowed=private))
        self._mail = mail_channel(settings, proofs)
        hook = WebhookChannel(self._http, secret_of=secret_of, clock=clock)
        self._push = push_channel(settings, self._http, clock, url=url, keys=keys)
        self._apprise = AppriseChannel(AppriseSettings(private_allowed=private))
        self._providers: list[HttpxOriginClient] = []
        phone = twilio_settings(settings)
        found: list[Channel | None] = [
            self._mail,
            hook,
            self._push,
            SmsChannel(self._provider(phone.api_url), phone, clock) if phone and phone.sends_sms else None,
            VoiceChannel(self._provider(phone.api_url), phone) if phone and phone.makes_calls else None,
            self._apprise if settings.apprise.offered else None,
            *app_channels(
                settings, http=self._http, provider=self._provider, proofs=proofs, clock=clock, linked=linked
            ),
        ]
        self.all: list[Channel] = [channel for channel in found if channel is not None]

    @property
    def push_key(self) -> str:
        """What a page subscribes to pushes with; empty where none are offered."""
        return self._push.public_key if self._push is not None else ""

    @property
    def fits(self) -> dict[str, Callable[[str], bool]]:
        """What an address of each channel that works looks like."""
        fits: dict[str, Callable[[str], bool]] = {
            **FITS,
            AppriseChannel.name: partial(apprise.is_address, private_allowed=self._private),
        }
        return {channel.name: fits[channel.name] for channel in self.all}

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
        await self._apprise.close()
        for client in self._providers:
            await client.close()
        if self._mail is not None:
            await self._mail.close()
