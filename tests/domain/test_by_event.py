"""Which rules name an event: what none names is passed over."""

from pipeline.domain.events import CallType, Event, Source
from pipeline.domain.rules import ConsentRule, Journey, Pattern, Rulebook, Step
from pipeline.domain.turn import Rules

STEP = Step(1, 1, "voice", 1)


def event(kind: CallType, name: str) -> Event:
    return Event(kind, name, "u1", None, "m1", 1, 1, Source("segment.raw", 0, 0))


def journey(name: str, start: Pattern, *unless: Pattern, version: int = 1) -> Journey:
    return Journey(name, version, (start,), (STEP,), unless)


def rules(*rulebooks: Rulebook) -> Rules:
    made = Rules(rulebooks[-1])
    for rulebook in rulebooks:
        made.know(rulebook)
    return made


def test_what_starts_cancels_or_speaks_of_consent_is_named() -> None:
    loans = journey("loans", Pattern("track", "Approved"), Pattern("page", "Thanks"))
    made = rules(Rulebook("d", (loans,), (ConsentRule("Opted In", ("voice",), subscribed=True),)))
    named: list[tuple[CallType, str]] = [
        ("track", "Approved"),
        ("page", "Thanks"),
        ("track", "Opted In"),
    ]
    assert all(made.mean(event(kind, name)) for kind, name in named)
    others: list[tuple[CallType, str]] = [
        ("track", "Thanks"),
        ("page", "Approved"),
        ("page", ""),
        ("screen", "Thanks"),
    ]
    assert not any(made.mean(event(kind, name)) for kind, name in others)


def test_a_pattern_without_a_name_means_all_of_its_type() -> None:
    wide = journey("wide", Pattern("page", None))
    exact = journey("exact", Pattern("page", "Pricing"))
    made = rules(Rulebook("d", (wide, exact)))
    assert made.mean(event("page", "Home"))
    assert made.current.journeys_of(event("page", "Home")) == [wide]
    assert made.current.journeys_of(event("page", "Pricing")) == [exact, wide]


def test_a_rulebook_that_went_still_has_its_waits_cancelled() -> None:
    old = Rulebook("old", (journey("loans", Pattern("track", "A"), Pattern("track", "B")),))
    made = rules(old, Rulebook("new"))
    assert made.mean(event("track", "B"))
    assert made.cancelled_by(event("track", "B")) == list(old.journeys)
