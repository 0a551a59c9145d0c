"""What an address of the webhook channel looks like."""

from nightbell.account.checks import is_web_address


def is_address(text: str) -> bool:
    """Whether it can be the address of a program: http or https, no name or password in it."""
    return is_web_address(text)
