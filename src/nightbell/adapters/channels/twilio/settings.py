"""How Twilio is reached, and what leaves through it."""

from urllib.parse import urlsplit

import msgspec


class TwilioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One account.

    Attributes:
        account_sid: The account, `AC` and 32 hex digits.
        auth_token: Its auth token: signs what Twilio posts to us, and lets us in if there is no API key.
        api_key_sid: An API key to get in with instead, `SK` and 32 hex digits; empty for none.
        api_key_secret: Its secret.
        sms_from: The number or name that SMS come from; empty if a messaging service chooses.
        messaging_service_sid: The messaging service, `MG` and 32 hex digits; empty for none.
        voice_from: The number that calls come from; empty makes no calls.
        public_url: Where Twilio reaches us; empty or unfit for it: it posts nothing to us.
        api_url: Origin of its API; another one for another region.
        sms_per_s: How many SMS the sender takes: a US long code one segment, a short code 100 and more.
        calls_per_s: How many calls the account may begin: 1, unless Twilio allowed more.
        ring_s: How long a call rings: shorter than most voicemail waits.
        notices_voicemail: Whether Twilio listens if a machine took the call (it costs extra).
    """

    account_sid: str
    auth_token: str = ""
    api_key_sid: str = ""
    api_key_secret: str = ""
    sms_from: str = ""
    messaging_service_sid: str = ""
    voice_from: str = ""
    public_url: str = ""
    api_url: str = "https://api.twilio.com"
    sms_per_s: float = 1.0
    calls_per_s: float = 1.0
    ring_s: int = 32
    notices_voicemail: bool = False

    @property
    def callback_root(self) -> str:
        """Our public URL if Twilio can post to it and we can tell that it was Twilio; else empty.

        It takes no host with an underscore. Source: Twilio, Message resource, `StatusCallback`.
        """
        host = urlsplit(self.public_url).hostname or ""
        return self.public_url if host and "_" not in host and self.auth_token else ""

    @property
    def sends_sms(self) -> bool:
        """Whether there is a sender for SMS."""
        return bool(self.sms_from or self.messaging_service_sid)

    @property
    def makes_calls(self) -> bool:
        """Whether calls are made: a key press is the whole point of one, and must find its way back."""
        return bool(self.voice_from and self.callback_root)

    def __repr__(self) -> str:
        """Without secrets and numbers."""
        return f"TwilioSettings(sends_sms={self.sends_sms}, makes_calls={self.makes_calls})"
