"""Whether a state and a log belong together: pure checks, each refusal with its way out."""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.ports import Bounds, Mark
from pipeline.process.holdings import Halted
from pipeline.wire.state import Identity

_SHOWN: Final = 5

Marks = Mapping[int, Mark | None]
"""Watermarks by partition; None where there is no state."""


class Refused(Halted):
    """Redis and the log do not belong together: what is wrong, what it breaks, the way out."""


def same_count(events: str, found: int, partitions: int) -> None:
    """The topic has as many partitions as are set: they say where each entity lives."""
    if found != partitions:
        raise Refused(
            f"{events} has {found} partitions, PIPELINE_PARTITIONS says {partitions}: with another"
            f" number everybody's records would go where their state is not: set"
            f" PIPELINE_PARTITIONS={found}"
        )


def same(known: Identity, mine: Identity) -> None:
    """The state in the store was made from this log, with these settings."""
    if known.rebuilding:
        raise Refused(
            "a rebuild of the state is under way, or was cut off: wait for it, or run"
            " `pipeline worker --rebuild` again"
        )
    if known.events != mine.events:
        raise Refused(
            f"Redis holds the state of another pipeline ({known.events}, not {mine.events}):"
            " two would write the same keys: set another REDIS_URL or PIPELINE_PREFIX"
        )
    if known.partitions != mine.partitions:
        raise Refused(
            f"the state in Redis was made with {known.partitions} partitions, not"
            f" {mine.partitions}: people would be looked for where they are not: set"
            f" PIPELINE_PARTITIONS={known.partitions} and use the topic of that time, or begin"
            " anew with another PIPELINE_PREFIX"
        )
    way_out = (
        "its positions mean nothing here, records would be skipped or taken twice: set the right"
        " KAFKA_BOOTSTRAP_SERVERS and REDIS_URL; if the log is meant to be this one, run `pipeline"
        " worker --rebuild`"
    )
    if known.cluster and mine.cluster and known.cluster != mine.cluster:
        raise Refused(
            f"the state in Redis was made from another Kafka cluster ({known.cluster}, not"
            f" {mine.cluster}): {way_out}"
        )
    if known.topic and mine.topic and known.topic != mine.topic:
        raise Refused(f"{mine.events} was deleted and created anew since Redis had it: {way_out}")


def beyond(marks: Marks, bounds: Mapping[int, Bounds]) -> list[int]:
    """Partitions whose state has taken more than their log holds."""
    return [
        number
        for number, mark in marks.items()
        if mark is not None and mark.offset + bool(mark.index) > bounds[number].end
    ]


def within(events: str, marks: Marks, begin: tuple[int, ...], bounds: Mapping[int, Bounds]) -> None:
    """What comes next for each partition is still in its log, and no place is beyond its end."""
    if ahead := beyond(marks, bounds):
        raise Refused(
            f"Redis has taken more of {events} than there is ({some(ahead)}): the brokers lost"
            " records, or the topic or cluster is another one; new records would be skipped: bring"
            " the log back, or run `pipeline worker --rebuild`"
        )
    places = {n: begin[n] if mark is None else mark.offset for n, mark in marks.items()}
    late = {n: bounds[n].start - at for n, at in places.items() if at < bounds[n].start}
    if late:
        raise Refused(
            f"{sum(late.values())} records of {events} were deleted before they were taken"
            f" ({some(late)}; retention): going on would skip them: restore a newer backup of"
            " Redis, or see `pipeline worker --rebuild --accept-loss`"
        )


def within_published(events: str, places: Mapping[int, Mark], bounds: Mapping[int, Bounds]) -> None:
    """What was published was caused by records that are in the log."""
    ahead = [n for n, place in places.items() if n in bounds and place.offset >= bounds[n].end]
    if ahead:
        raise Refused(
            f"outputs were published for records that {events} does not hold ({some(ahead)}): new"
            " triggers up to there would be taken for published and left out: bring the log back,"
            " or begin anew with another PIPELINE_PREFIX"
        )


def some(numbers: Iterable[int]) -> str:
    """The first of them as words."""
    wanted = sorted(numbers)
    more = f" and {len(wanted) - _SHOWN} more" if len(wanted) > _SHOWN else ""
    return f"partitions {', '.join(map(str, wanted[:_SHOWN]))}{more}"
