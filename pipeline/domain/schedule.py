"""Which steps the wait of an anchor has, and when each of them is due.

Both follow from the anchor event alone, whoever the person turns out to be and whatever else comes:
its time, the dates that it names, and the variant that its own id falls into.
"""

from collections.abc import Mapping, Sequence

from pipeline.domain.facts import Start
from pipeline.domain.ids import at_path, fraction
from pipeline.domain.rules import Journey, Step
from pipeline.domain.shadow import outside
from pipeline.domain.times import parse_instant


def dates_of(journey: Journey, names: Mapping[str, object], time: int) -> dict[int, int]:
    """The deadlines that a start of this event time names, by step (ms).

    A step is missing where there is no date to be read, or one farther ahead than the step allows.
    """
    dates = {}
    for step in journey.steps:
        if step.until is not None:
            date = parse_instant(at_path(names, step.until.path))
            if date is not None and date + step.until.offset <= time + step.after:
                dates[step.number] = date + step.until.offset
    return dates


def variant_of(journey: Journey, own_id: str) -> str | None:
    """The variant of the waits of this anchor's own id; None for a journey without any."""
    if journey.experiment is None:
        return None
    share = fraction(journey.experiment.salt, outside(journey.name), own_id)
    edge = 0.0
    for name, percent in journey.experiment.variants:
        edge += percent
        if share < edge / 100:
            return name
    # the percentages make 100, but as floats perhaps a little less
    return journey.experiment.variants[-1][0]


def steps_of(journey: Journey, start: Start) -> Sequence[Step]:
    """The steps of its wait, by number: those of its variant, less those it names no date for."""
    if journey.uniform:
        return journey.steps
    return [
        step
        for step in _of_variant(journey, start)
        if step.until is None or step.number in start.dates
    ]


def undated(journey: Journey, start: Start) -> Sequence[Step]:
    """The steps of its variant that its wait lacks, for want of a date."""
    if journey.uniform:
        return ()
    return [
        step
        for step in _of_variant(journey, start)
        if step.until is not None and step.number not in start.dates
    ]


def first_step(journey: Journey, start: Start) -> int:
    """The number by which a start that opens nothing is told of."""
    return _of_variant(journey, start)[0].number


def _of_variant(journey: Journey, start: Start) -> list[Step]:
    variant = variant_of(journey, start.own_id)
    return [step for step in journey.steps if step.variant in {None, variant}]


def deadline(step: Step, start: Start) -> int:
    """Event time by which the cancel must have come; the anchor's own for a step without a date."""
    if step.until is not None:
        return start.dates.get(step.number, start.ref.time)
    return start.ref.time + step.after


def in_order(journey: Journey, start: Start) -> Sequence[Step]:
    """The steps of its wait by deadline, then number."""
    steps = steps_of(journey, start)
    if journey.uniform:
        return steps
    return sorted(steps, key=lambda step: (deadline(step, start), step.number))


def last_deadline(journey: Journey, start: Start) -> int:
    """Of its wait; a date may lie before the anchor, the wait's end does not."""
    if journey.uniform:
        return start.ref.time + journey.steps[-1].after
    return max((start.ref.time, *(deadline(step, start) for step in steps_of(journey, start))))
