"""Rulebooks of the histories that the oracle judges, drawn from a number."""

from random import Random
from typing import Any

Json = dict[str, Any]
BOOKS = 48
"""So many take turns: compiling one costs as much as a short history."""
JOURNEY_EVENTS = ("Approved", "Signed", "Withdrawn")


def book(number: int) -> Json:
    rng = Random(f"book:{number}")
    journeys = [_journey(rng, n) for n in range(1, rng.choice([1, 2, 2]) + 1)]
    conditions = Random(f"conditions:{number}")
    for journey in journeys:
        _add_condition(conditions, journey)
        _add_gates(Random(f"gates:{number}:{journey['journey']}"), journey)
    consent = [
        {"event": "Unsubscribed", "channels": ["voice", "sms"], "subscribed": False},
        {"event": "Subscribed", "channels": ["voice"], "subscribed": True},
    ]
    return {"journeys": journeys, "consent": {"events": consent}}


def _journey(rng: Random, number: int) -> Json:
    start, cancel, other = rng.sample(JOURNEY_EVENTS, 3)
    journey: Json = {
        "journey": f"j{number}",
        "version": 1,
        "key": "properties.loanId",
        "match": rng.choice(["person", "key"]),
        "start": {"event": start},
        "unless": [{"event": cancel}],
    }
    if rng.random() < 0.2:
        journey["unless"].append({"event": other, "where": 'properties.reason != "duplicate"'})
    if rng.random() < 0.3:
        journey["lookback"] = rng.choice(["20m", "30m"])
    if rng.random() < 0.2:
        journey["lateness"] = "20m"
    if rng.random() < 0.3:
        journey["repeat"] = "restart"
    if rng.random() < 0.15:
        journey["once"] = True
    if rng.random() < 0.3:
        journey["audience"] = rng.choice(
            ['traits.state != "TX"', 'events["Signed"].count == 0', 'events["Approved"].count < 2']
        )
    afters = sorted(rng.sample([10, 30, 50, 70], rng.choice([1, 1, 2])))
    journey["steps"] = [
        {"after": f"{after}m", "channel": rng.choice(["voice", "voice", "sms"]), "expires": "24h"}
        for after in afters
    ]
    return journey


def _add_condition(rng: Random, journey: Json) -> None:
    """One that hangs on what merges bring together, and on what is newest by event time."""
    if rng.random() < 0.3:
        journey["steps"][-1]["when"] = rng.choice(
            ['traits.state == "NY"', 'events["Approved"].count < 2', 'events["Signed"].count < 1']
        )


def _add_gates(rng: Random, journey: Json) -> None:
    """Of people drawn by lot, and of what went out before."""
    if rng.random() < 0.15:
        journey["holdout"] = {"percent": 50, "salt": journey["journey"]}
    if len(journey["steps"]) == 2 and rng.random() < 0.3:
        journey["experiment"] = {"salt": "x", "variants": {"soft": 50, "firm": 50}}
        for step, variant in zip(journey["steps"], ("soft", "firm"), strict=True):
            step["variant"] = variant
    if journey["match"] == "person" and rng.random() < 0.4:
        journey["steps"][-1]["cooldown"] = rng.choice(["30m", "50m"])
