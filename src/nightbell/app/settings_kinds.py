"""What values in the settings file look like: addresses, URLs, whole numbers, tables."""

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

_LOOPBACK: Final = "127.0.0.1"


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port` or `[::1]:port`.

    Raises:
        ValueError: It is not of that form.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not _is_host(host) or not _PORT.fullmatch(port) or int(port) > 65_535:  # noqa: PLR2004 the highest port there is
        raise ValueError("write it as host:port, as 127.0.0.1:8377")
    return host, int(port)


def _is_host(host: str) -> bool:
    """Whether the system can be asked for it at all: what cannot be written in the DNS makes it raise."""
    try:
        return bool(host) and host.isprintable() and " " not in host and bool(host.encode("idna"))
    except UnicodeError:
        return False


def _whole(value: object) -> object:
    """Not `true` for 1: whoever wrote it meant another key."""
    if isinstance(value, bool):
        raise ValueError("write a whole number here, not true or false")  # noqa: TRY004 pydantic wants a ValueError
    return value


def _address(value: str) -> str:
    split_address(value)
    return value


def _url(value: str) -> str:
    if value:
        parts = urlsplit(value)
        _ = parts.port  # asked for, because it raises a ValueError where it is none
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("write it as https://bell.example.org")
    return value.rstrip("/")


def _near(value: str) -> str:
    """An address that the public cannot reach: of this machine or of a private network, by number."""
    if value:
        host, _ = split_address(value)
        where = ipaddress.ip_address(_LOOPBACK if host == "localhost" else host.partition("%")[0])
        if where.is_unspecified or not (where.is_loopback or where.is_private):
            raise ValueError(
                "the public must not reach it: write an address of this machine, as 127.0.0.1:9377, or of a "
                "private network"
            )
    return value


def is_near_host(host: str) -> bool:
    """Whether a host is this very machine, by its usual name or by number."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_PORT: Final = re.compile(r"[0-9]{1,5}")

Address = Annotated[str, AfterValidator(_address)]
NearAddress = Annotated[str, AfterValidator(_near)]
Url = Annotated[str, AfterValidator(_url)]
Whole = Annotated[int, BeforeValidator(_whole)]


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
