"""What was found when the journal was opened again, and the words for it."""

import msgspec

from nightbell.words.catalogue import Catalogue


class SetAside(msgspec.Struct, frozen=True):
    """A damaged file was set aside.

    Attributes:
        file: Name of the file it was.
        moved_to: Where the damaged file lies now.
        why: What was found, in words.
        kept: How many of its groups could be read and were kept.
        lost_after: Seq of the last group kept before the first gap, 0 if none.
        lost_before: Seq of the first group kept after the last gap, 0 if none.
    """

    file: str
    moved_to: str
    why: str
    kept: int
    lost_after: int
    lost_before: int


class Recovery(msgspec.Struct, frozen=True):
    """What was found when the journal was opened.

    Attributes:
        first_seq: Oldest group kept; 0 if there is none.
        last_seq: Newest group kept; 0 if there is none.
        next_seq: What the next group will be called: above everything ever seen, even in damaged files.
        files: How many files were opened.
        torn: Files whose last write had not finished when the machine stopped. It was never confirmed;
        everything
            before it was kept.
        missing: Pairs (after, before): groups between these two are not there.
        set_aside: Damaged files.
    """

    first_seq: int
    last_seq: int
    next_seq: int
    files: int
    torn: tuple[str, ...] = ()
    missing: tuple[tuple[int, int], ...] = ()
    set_aside: tuple[SetAside, ...] = ()


def recovery_sentences(found: Recovery, words: Catalogue) -> tuple[str, ...]:
    """What a person who runs Nightbell should read about it; nothing if all was well."""
    return (
        *(words.say("journal.recovered.torn", file=file) for file in found.torn),
        *(
            words.say(
                "journal.recovered.set_aside",
                file=damage.file, why=damage.why, moved_to=damage.moved_to, kept=damage.kept,
            )
            for damage in found.set_aside
        ),
        *(
            words.say("journal.recovered.missing", after=after, before=before)
            for after, before in found.missing
        ),
    )  # fmt: skip
