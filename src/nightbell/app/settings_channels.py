"""The tables of the settings file for the ways out to people: one class for each provider."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from nightbell.adapters.channels.web_push.settings import CONTACT_LENGTH_MAX, is_contact
from nightbell.app.settings_kinds import Section, Url, Whole, is_near_host


class Smtp(Section):
    """The mail server that carries e-mail. Without a host no e-mail is sent, and the app says so."""

    host: str = Field(default="", description="Name or address of the server. Empty: no e-mail.")
    port: Whole = Field(
        default=587,
        ge=1,
        le=65_535,
        description="Its port: 587 with starttls, 465 with tls, 25 with neither.",
    )
    user: str = Field(default="", description="Whom to sign in as. Empty: no sign-in.")
    password: SecretStr = Field(default=SecretStr(""), description="The password of that user. A secret.")
    starttls: bool = Field(default=True, description="Turn the connection into TLS after connecting.")
    tls: bool = Field(default=False, description="TLS from the first byte. Set starttls to false then.")
    sender: str = Field(
        default="", max_length=320, description="The address that mails come from. Needed with a host."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.tls and self.starttls:
            raise ValueError("tls and starttls exclude each other: keep one of them true")
        if self.host and "@" not in self.sender:
            raise ValueError("sender must be an e-mail address when host is set")
        return self


class Twilio(Section):
    """The account at Twilio that sends SMS and makes calls. Without one neither is offered."""

    account_sid: str = Field(
        default="", pattern=r"^(AC[0-9a-f]{32})?$", description="The account: AC and 32 letters. Empty: none."
    )
    auth_token: SecretStr = Field(
        default=SecretStr(""),
        description="Its auth token: proves that what comes back is from Twilio. Calls need it. A secret.",
    )
    api_key_sid: str = Field(
        default="",
        pattern=r"^(SK[0-9a-f]{32})?$",
        description="An API key to sign in with: SK and 32 letters. Empty: the auth token signs in.",
    )
    api_key_secret: SecretStr = Field(
        default=SecretStr(""), description="The secret of that API key. A secret."
    )
    sms_from: str = Field(
        default="",
        pattern=r"^(\+?[0-9]{3,15}|[A-Za-z0-9 ]{1,11})?$",
        description="Number or name that SMS come from. Empty: no SMS, unless a messaging service is set.",
    )
    messaging_service_sid: str = Field(
        default="",
        pattern=r"^(MG[0-9a-f]{32})?$",
        description="Messaging service that chooses the number instead: MG and 32 letters. Empty: none.",
    )
    voice_from: str = Field(
        default="",
        pattern=r"^(\+[1-9][0-9]{6,14})?$",
        description="Number that calls come from. Calls need public_url as well. Empty: no calls.",
    )
    sms_per_s: Whole = Field(
        default=1,
        ge=1,
        le=1_000,
        description="SMS a second that your number may send: 1 for a US long code, 100 for a short code.",
    )
    calls_per_s: Whole = Field(
        default=1, ge=1, le=100, description="Calls a second that Twilio lets you begin."
    )
    notices_voicemail: bool = Field(
        default=False, description="Let Twilio listen whether voicemail took the call. It costs extra."
    )
    api_url: Url = Field(
        default="https://api.twilio.com", min_length=8, description="Where its API is; for other regions."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.account_sid:
            if self.sms_from or self.messaging_service_sid or self.voice_from:
                raise ValueError("account_sid is needed to send SMS or to call")
            return self
        if bool(self.api_key_sid) != bool(self.api_key_secret.get_secret_value()):
            raise ValueError("api_key_sid and api_key_secret go together: give both or neither")
        if not self.api_key_sid and not self.auth_token.get_secret_value():
            raise ValueError("give auth_token, or api_key_sid and api_key_secret, to sign in with")
        if self.sms_from and self.messaging_service_sid:
            raise ValueError("sms_from and messaging_service_sid exclude each other: keep one of them")
        return self


class Pushover(Section):
    """An application at pushover.net: it rings until somebody presses its button. Without a token: none."""

    token: SecretStr = Field(
        default=SecretStr(""),
        description="API token of the application, from pushover.net. Empty: no Pushover. A secret.",
    )
    sound: str = Field(
        default="persistent",
        max_length=20,
        pattern=r"^[a-z_0-9]*$",
        description="Sound of what is urgent, by Pushover's name for it. Empty: each person's own choice.",
    )
    retry_s: Whole = Field(
        default=30, ge=30, le=600, description="Seconds until what is urgent rings on the phone again."
    )
    api_url: Url = Field(
        default="https://api.pushover.net", min_length=8, description="Where its API is; for trying."
    )


class Ntfy(Section):
    """The ntfy server that people's topics lie on. Without a server there is no ntfy."""

    server: Url = Field(default="", description="Its address, as https://ntfy.sh. Empty: no ntfy.")
    token: SecretStr = Field(
        default=SecretStr(""), description="Access token there. Empty: none is needed. A secret."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if urlsplit(self.server).path:
            raise ValueError(
                "server is an address without a path, as https://ntfy.sh: topics come from people"
            )
        if self.token.get_secret_value() and not self.server:
            raise ValueError("token needs a server")
        return self


class Telegram(Section):
    """A bot of Telegram, made with its BotFather. Without a token there is no Telegram."""

    token: SecretStr = Field(
        default=SecretStr(""),
        description="The bot's token, as BotFather gave it. Empty: no Telegram. A secret.",
    )
    api_url: Url = Field(
        default="https://api.telegram.org",
        min_length=8,
        description="Where its API is; for a server of one's own.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        token = self.token.get_secret_value()
        if token and not (
            token.isascii() and token.replace(":", "").replace("-", "").replace("_", "").isalnum()
        ):
            raise ValueError("token is digits, a colon, then letters: copy it from BotFather once more")
        return self


class WebPush(Section):
    """Pushes to browsers and phones. Without a contact, and with no https public_url, none are offered."""

    contact: str = Field(
        default="",
        max_length=CONTACT_LENGTH_MAX,
        description="Whom push services write to: mailto:you@your.domain or https. Empty: public_url.",
    )

    @model_validator(mode="after")
    def _real(self) -> Self:
        if self.contact and not is_contact(self.contact):
            raise ValueError("contact must be real, as mailto:you@your.domain or https://your.domain")
        return self


class Bounces(Section):
    """The mailbox of the sender: letters that come back tell that an address is dead. Read over IMAP.

    Only bounces of our own letters are touched: they are marked as seen. Nothing is deleted.
    """

    host: str = Field(default="", description="Name of the IMAP server. Empty: nobody looks for bounces.")
    port: Whole = Field(default=993, ge=1, le=65_535, description="Its port: 993 with tls, 143 without.")
    user: str = Field(default="", max_length=320, description="Whom to sign in as. Needed with a host.")
    password: SecretStr = Field(default=SecretStr(""), description="The password of that user. A secret.")
    folder: str = Field(default="INBOX", min_length=1, max_length=200, description="Where bounces lie.")
    tls: bool = Field(
        default=True,
        description="TLS from the first byte. Without it only a server of this machine is asked.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.host:
            return self
        if not self.user:
            raise ValueError("user is needed when host is set")
        if not self.tls and not is_near_host(self.host):
            raise ValueError("without tls the password could be read on the way: set tls to true")
        for name, text in (("user", self.user), ("password", self.password.get_secret_value())):
            if not (text.isascii() and text.isprintable()):
                raise ValueError(f"{name} must be plain letters, digits and signs on one line (ASCII)")
        if not (self.folder.isascii() and self.folder.isprintable()):
            raise ValueError("folder must be written in ASCII, as the server names it")
        return self


class Apprise(Section):
    """The long tail: services for which there is no channel of their own, through the library Apprise."""

    offered: bool = Field(
        default=True,
        description="Let people give Apprise addresses. Its process starts with the first message.",
    )
