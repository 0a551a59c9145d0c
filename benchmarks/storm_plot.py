"""placeholder"""


def draw(report: object) -> None:
    """Later."""
