"""The tables of the settings file for the ways out to people: one class for each provider."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from nightbell.app.settings_kinds import Section, Whole, is_near_host


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
