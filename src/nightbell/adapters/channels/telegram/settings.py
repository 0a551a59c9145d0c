"""How Telegram is used."""

import msgspec


class TelegramSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One bot.

    Attributes:
        token: The bot's token.
        public_url: Where Telegram reaches us over https; empty: it does not, so we listen ourselves.
        api: Where Telegram answers.
        poll_s: How long one question for news may stay open; less than the listening client's time limit.
        pause_ms: First pause after a failure while listening; it doubles from there.
        pause_ms_max: Longest such pause.
        renew_ms: How often Telegram is told anew where to reach us.
    """

    token: str
    public_url: str = ""
    api: str = "https://api.telegram.org"
    poll_s: int = 25
    pause_ms: int = 1_000
    pause_ms_max: int = 60_000
    renew_ms: int = 60 * 60_000

    def __repr__(self) -> str:
        """Without the token."""
        return f"TelegramSettings(api={self.api!r})"
