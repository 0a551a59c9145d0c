"""The tables of the settings file for the ways out to people: one class for each provider."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from nightbell.adapters.channels.web_push.settings import CONTACT_LENGTH_MAX, is_contact
from nightbell.app.settings_kinds import Section, Whole


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
