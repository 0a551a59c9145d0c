"""How signing in went since the start, for whoever measures. Nobody's name is kept here."""


class SignInCounts:
    """One number for each way it can end.

    Attributes:
        signed_in: The password was right.
        refused: It was wrong, or there is nobody of that name.
        too_soon: Not looked at: too many wrong ones before.
        busy: Not looked at: too many were signing in.
    """

    __slots__ = ("busy", "refused", "signed_in", "too_soon")

    def __init__(self) -> None:
        self.signed_in = 0
        self.refused = 0
        self.too_soon = 0
        self.busy = 0
