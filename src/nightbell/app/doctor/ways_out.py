"""Whether people can be told at all: each channel's credentials, and whether a phone can reach us."""

import asyncio
import ipaddress
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from nightbell.adapters.channels.twilio.voice import why_not_offered
from nightbell.adapters.stores.files.vapid import VAPID_NAME
from nightbell.app.channels import Channels, twilio_settings
from nightbell.app.doctor.finding import Finding, Says, Verdict
from nightbell.app.settings import Settings
from nightbell.app.wiring import CallbackProofs
from nightbell.tell.channel import Channel, Proves
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import SystemClock

PROVE_S_MAX: Final = 20.0
"""Longer than any channel's own limit: a doctor must come to an end."""

_NOWHERE: Final = CallbackProofs(b"the doctor tells nobody anything")


def reach(words: Catalogue, public_url: str) -> Finding:
    """Whether a phone that is not at home can open our pages, as far as the address alone can tell."""
    says = Says(words, "reach")
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if not host:
        return says.warn("none")
    if host == "localhost" or _is_near(host):
        return says.warn("near", host=host)
    if parts.scheme != "https":
        return says.warn("plain", host=host)
    return says.ok("fine", host=host)


def _is_near(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.endswith((".local", ".lan", ".home", ".internal"))
    return address.is_private or address.is_loopback or address.is_link_local


def channels(words: Catalogue, folder: Path, settings: Settings) -> list[Finding]:
    """Try every channel that is set up; nobody is told anything by it, and nothing is written."""
    with tempfile.TemporaryDirectory() as elsewhere:
        kept = folder / "keys"
        keys = kept if (kept / VAPID_NAME).exists() else Path(elsewhere)
        return asyncio.run(_tried(words, settings, keys))


async def _tried(words: Catalogue, settings: Settings, keys: Path) -> list[Finding]:
    ways = Channels(settings, SystemClock(), lambda _: "", _NOWHERE, url=settings.public_url, keys=keys)
    try:
        wrong = await asyncio.gather(*(_proven(words, channel) for channel in ways.all))
    finally:
        await ways.close()
    return [*_findings(words, ways.all, wrong), *_kept_back(words, settings)]


async def _proven(words: Catalogue, channel: Channel) -> str | None:
    """What is wrong with it; None if it has nothing to prove."""
    if not isinstance(channel, Proves):
        return None
    try:
        async with asyncio.timeout(PROVE_S_MAX):
            return await channel.prove()
    except TimeoutError:
        return words.say("doctor.channel_too_slow", s=int(PROVE_S_MAX))


def _findings(words: Catalogue, tried: list[Channel], wrong: list[str | None]) -> Iterator[Finding]:
    for channel, what in zip(tried, wrong, strict=True):
        shown = words.say(f"page.channel_{channel.name}")
        if what:
            found = words.say("doctor.channel_wrong", channel=shown)
            yield Finding(f"channel_{channel.name}", Verdict.FAIL, found, what)
        elif what is not None:
            yield Finding(
                f"channel_{channel.name}", Verdict.OK, words.say("doctor.channel_fine", channel=shown)
            )


def _kept_back(words: Catalogue, settings: Settings) -> Iterator[Finding]:
    """What is set up and yet not offered: nobody would miss it before the night it should have rung."""
    phone = twilio_settings(settings)
    if phone and (why := why_not_offered(phone)):
        shown = words.say("page.channel_voice")
        yield Finding(
            "channel_voice", Verdict.FAIL, words.say("doctor.channel_kept_back", channel=shown), why
        )
