"""Which Apprise URLs a person may give. Pure; the child asks it again before it does anything.

A plug-in can read files, start programs, speak to the desktop of this machine, or call any host. So nothing
is allowed but what stands here: schemes whose plug-in goes to the provider's own hosts, and parameters that
only say to whom and how loud. Schemes of machines in the family's own network need the operator's leave, as
webhooks do. Left out on purpose: services where everybody can read (Mastodon, Bluesky, X), and those for
which there is a channel with receipts (Pushover, ntfy, Telegram, Twilio, e-mail).

Source: the plug-ins of Apprise 2.3, read one by one; `tests/unit/test_deliver_apprise_address.py` holds this
list against the plug-ins that are installed.
"""

import re
from typing import Final
from urllib.parse import parse_qsl

ADDRESS_LENGTH_MAX: Final = 1_000

PROVIDERS: Final = frozenset(
    {
        "46elks", "bulksms", "burstsms", "clickatell", "clicksend", "d7sms", "dingtalk", "discord", "feishu",
        "flock", "freemobile", "gchat", "groupme", "guilded", "httpsms", "ifttt", "ilert", "incidentio",
        "join", "kavenegar", "lark", "line", "msgbird", "notifiarr", "opsgenie", "pagerduty", "pbul", "plivo",
        "prowl", "psafer", "psafers", "push", "pushme", "pushy", "revolt", "schan", "serwersms", "seven",
        "signalgrid", "signl4", "sinch", "slack", "smsc", "spugpush", "spush", "squadcast", "telnyx",
        "threema", "twist", "viber", "voipms", "vonage", "webex", "wecombot", "wxpusher", "wxteams", "youlmk",
        "zoom",
    }
)  # fmt: skip
"""Schemes whose messages go to one provider's own hosts."""

OWN_MACHINES: Final = frozenset(
    {
        "bark", "barks", "gotify", "gotifys", "hassio", "hassios", "json", "jsons", "kodi", "kodis", "matrix",
        "matrixs", "mmost", "mmosts", "nctalk", "nctalks", "ncloud", "nclouds", "rocket", "rockets", "signal",
        "signals", "synology", "synologys",
    }
)  # fmt: skip
"""Schemes whose messages go to a host that stands in the address."""

PARAMETERS: Final = frozenset(
    {
        "apikey", "app", "channel", "critical", "format", "from", "group", "key", "level", "mode", "name",
        "overflow", "priority", "region", "secret", "sid", "sound", "source", "thread", "to", "token",
        "topic", "ttl", "tts", "user", "vibration", "volume",
    }
)  # fmt: skip
"""To whom and how loud. Not: files, templates, other URLs, how long to wait, which certificates to trust."""

_ADDRESS: Final = re.compile(r"([a-z0-9]{2,20})://[!-~]+")


def is_address(text: str, *, private_allowed: bool = False) -> bool:
    """Whether this is an Apprise URL that may be used."""
    found = _ADDRESS.fullmatch(text)
    if len(text) > ADDRESS_LENGTH_MAX or found is None or text.count("://") != 1:
        return False  # more than one would be several addresses
    allowed = PROVIDERS | OWN_MACHINES if private_allowed else PROVIDERS
    return found.group(1) in allowed and _parameters(text) <= PARAMETERS


def _parameters(text: str) -> set[str]:
    """Names of the parameters, wherever a reader of URLs might see some."""
    asked = re.sub("[?;#]", "&", text.partition("?")[2])
    return {name.strip().lower() for name, _ in parse_qsl(asked, keep_blank_values=True)}
