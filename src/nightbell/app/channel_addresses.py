"""What an address of each channel looks like: whoever saves one asks. One line for each channel."""

from collections.abc import Callable, Mapping
from typing import Final

from nightbell.adapters.channels.email import letter
from nightbell.adapters.channels.ntfy import wire as ntfy
from nightbell.adapters.channels.pushover import wire as pushover
from nightbell.adapters.channels.telegram import wire as telegram
from nightbell.adapters.channels.twilio import address as phone
from nightbell.adapters.channels.web_push import subscription
from nightbell.adapters.channels.webhook import address as webhook

FITS: Final[Mapping[str, Callable[[str], bool]]] = {
    "email": letter.is_address,
    "ntfy": ntfy.is_address,
    "pushover": pushover.is_address,
    "sms": phone.is_address,
    "telegram": telegram.is_address,
    "voice": phone.is_address,
    "web_push": subscription.is_address,
    "webhook": webhook.is_address,
}
