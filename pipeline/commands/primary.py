"""Why an address is the primary one (rule 15), in words."""

from pipeline.domain.book import Book
from pipeline.domain.times import format_instant


def why_primary(book: Book, kind: str) -> str | None:
    """What made the primary address so, or why there is none; None where nothing was ever said."""
    primary = book.primary()
    said = [each for each in book.mentions if each.via in {"trait", "primary"}]
    deciding = [each for each in said if each.value == primary]
    if not book.mentions:
        return None
    if deciding:
        newest = max(deciding, key=lambda each: each.newness)
        at = format_instant(newest.time)
        if primary is None:
            return f"the `{kind}` trait was removed at {at}, and nothing newer names one"
        what = f"the newest `{kind}` trait" if newest.via == "trait" else "the newest isPrimary"
        return f"{what}, of {at} (message {newest.message_id})"
    if primary is None:
        return f"no call has named a usable {kind}"
    known = book.known()
    others = sum(time == known[primary] for time in known.values()) - 1
    first = f"no trait or isPrimary says which: known first, at {format_instant(known[primary])}"
    return f"{first}, and the lowest of those" if others else first
