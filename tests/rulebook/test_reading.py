"""What a rulebook reads of events and people."""

from pipeline.rulebook.compile import canonical_document
from pipeline.rulebook.reading import Reading, reading_of


def reading() -> Reading:
    journey = {
        "journey": "j",
        "version": 1,
        "key": "properties.loan.id",
        "start": {"event": "Approved", "where": "properties.amount > 5 && has(context.app.name)"},
        "unless": [
            {"event": "Signed", "where": "properties.kind == start.properties.kind"},
            {"type": "page", "name": "Done"},
        ],
        "audience": 'traits.address.state != "TX" && events["Deposit Made"].count == 0',
        "steps": [
            {"after": "1h", "channel": "voice", "include": ["traits.firstName"]},
            {
                "until": "properties.due",
                "channel": "sms",
                "when": "start.properties.tier in ['gold', 'blue']",
            },
        ],
    }
    consent = {"events": [{"event": "Stop", "channels": ["sms"], "subscribed": False}]}
    return reading_of(canonical_document({"journeys": [journey], "consent": consent}))


def test_conditions_of_every_place_are_read_and_what_is_read_of_a_start() -> None:
    assert reading().judged == {
        ("properties", "amount"),
        ("context", "app", "name"),
        ("properties", "kind"),
        ("properties", "tier"),
        ("traits", "address", "state"),
        ("events", "Deposit Made", "count"),
    }


def test_keys_dates_and_what_triggers_show_are_told_apart() -> None:
    made = reading()
    assert made.keys == {("properties", "loan", "id")}
    assert made.dates == {("properties", "due")}
    assert made.shown == {("traits", "firstName")}


def test_texts_that_conditions_compare_and_names_of_events_are_known() -> None:
    made = reading()
    assert {"TX", "gold", "blue"} <= made.literals
    assert {"Approved", "Signed", "Done", "Stop", "Deposit Made"} <= made.events


def test_a_part_of_what_is_read_is_read_and_what_is_around_it_is_not() -> None:
    made = reading()
    assert made.judges(("properties", "kind", "deeper"))
    assert not made.judges(("properties",))
    assert not made.judges(("traits", "address", "street"))
