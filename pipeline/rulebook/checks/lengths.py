"""How long waits last, against how long the log is kept; steps that are due at one instant."""

from pipeline.domain.rules import Journey, Rulebook, Step
from pipeline.rulebook.durations import format_duration
from pipeline.rulebook.load import Sources
from pipeline.rulebook.places import JourneyPlace, journeys_of, steps_of
from pipeline.rulebook.slots import slot_of


def check_retention(sources: Sources, rulebook: Rulebook, retention: int) -> None:
    """Note journeys whose longest wait is longer than `retention` (ms), at the step that it is."""
    compiled = {journey.name: journey for journey in rulebook.journeys}
    for place in journeys_of(sources):
        journey = compiled[slot_of(place.made)]
        longest = max(journey.steps, key=lambda step: step.after + step.expires)
        lasts = journey.lookback + longest.after + longest.expires
        if lasts > retention:
            node = next(each.node for each in steps_of(place) if longest.number in each.numbers)
            message = (
                f"a wait lasts up to {format_duration(lasts)}, the log is kept for"
                f" {format_duration(retention)}: explain and a rebuild would miss its start"
            )
            remedy = "raise retention.ms of segment.raw and segment.events, or wait less"
            node.warn(message, remedy, "beyond-retention")


def check_same_instant(sources: Sources, rulebook: Rulebook) -> None:
    """Note steps until the same date as a later one of the channel, which always takes its place.

    Of steps by `after` the loader asks that they grow.
    """
    compiled = {journey.name: journey for journey in rulebook.journeys}
    for place in journeys_of(sources):
        _check_dates(place, compiled[slot_of(place.made)])


def _check_dates(place: JourneyPlace, journey: Journey) -> None:
    for each in steps_of(place):
        step = journey.steps[each.numbers[0] - 1]
        for later in journey.steps[step.number :]:
            if step.until is not None and step.until == later.until and _replaces(later, step):
                message = (
                    f"step {later.number} is due at the same instant on {step.channel}, instead"
                )
                each.node.warn(message, "give one of them another `offset`", "unreachable-step")
                break


def _replaces(later: Step, step: Step) -> bool:
    """Whether it is there for every wait that the earlier one is there for, and not expired."""
    there = later.variant in {None, step.variant} and later.after >= step.after
    return there and later.channel == step.channel and later.expires >= step.expires
