"""What production did, as one side of a comparison."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from pipeline.commands.production import Production
from pipeline.domain.times import HOUR, format_instant
from pipeline.names import Names
from pipeline.process.comparison import Comparison, Step, Verdict
from pipeline.process.history import Came
from pipeline.process.tally import Tally
from tests.commands.topics import Topics

BEGIN = 1_772_550_000_000
END = BEGIN + 24 * HOUR
RULEBOOK, FIRED = 0, 1
NAMES = Names("p.")


def topic(values: Sequence[object]) -> dict[int, list[tuple[int, bytes | None]]]:
    return {0: [(BEGIN, v if isinstance(v, bytes | None) else orjson.dumps(v)) for v in values]}


def record(nth: int, at: int, **more: Any) -> dict[str, Any]:
    said = {
        "type": "trigger", "id": f"{nth:032x}", "journey": "j", "version": 1, "step": 1,
        "channel": "voice", "to": "+12125550100", "firedAt": format_instant(at),
        "anchor": {"timestamp": format_instant(at - HOUR)},
    }  # fmt: skip
    return said | more


def retraction(nth: int, at: int) -> dict[str, Any]:
    said = {"type": "retraction", "reason": "opted_out", "at": format_instant(at)}
    return record(nth, at) | said


def decision(nth: int, at: int, outcome: str, reason: str | None) -> dict[str, Any]:
    return record(nth, at, outcome=outcome, reason=reason, decidedAt=format_instant(at))


async def read(
    by_rulebook: Sequence[dict[str, Any]],
    *,
    triggers: Sequence[object] = (),
    decisions: Sequence[object] = (),
) -> Production:
    comparison = Comparison([frozenset({"j"}), None])
    for each in by_rulebook:
        comparison.take(RULEBOOK, Came("trigger", each))
    made = Production(comparison, FIRED, Tally(), BEGIN, END)
    topics = {NAMES.triggers: topic(triggers), NAMES.decisions: topic(decisions)}
    await made.read(Topics(topics), NAMES)
    return made


def apart(made: Production) -> list[tuple[str, str]]:
    found = made.comparison.differences(RULEBOOK, FIRED)
    return sorted((each.side, str(each.verdict)) for each in found)


async def test_what_production_fired_alone_is_missing_and_what_it_did_not_is_extra() -> None:
    at = BEGIN + 2 * HOUR
    made = await read(
        [record(1, at), record(2, at), record(4, at)],
        triggers=[record(1, at), record(3, at)],
        decisions=[decision(1, at, "fired", None), decision(2, at, "suppressed", "cooldown")],
    )
    assert apart(made) == [
        ("one", "suppressed: cooldown"),
        ("one", "undecided"),
        ("other", "undecided"),
    ]
    assert (made.tally.total("fired"), made.tally.not_fired) == (2, 1)


async def test_a_trigger_that_production_let_out_moments_after_the_end_is_not_extra() -> None:
    made = await read([record(1, END)], triggers=[record(1, END + 700), record(2, END + 700)])
    assert apart(made) == []
    assert made.tally.total("fired") == 0


async def test_what_production_fired_before_the_span_is_not_missing() -> None:
    early = record(1, BEGIN - 1)
    made = await read([], triggers=[early, retraction(1, BEGIN + 1)])
    assert apart(made) == []
    assert made.tally.total("retracted") == 1


async def test_of_a_wait_from_before_the_span_it_is_told_that_it_is() -> None:
    late = record(1, BEGIN + 5, anchor={"timestamp": format_instant(BEGIN - 1)})
    other = {**late, "id": f"{2:032x}", "journey": "gone"}
    made = await read([], triggers=[late, other])
    assert apart(made) == [("other", "before_from"), ("other", "no_journey")]


async def test_what_was_taken_back_was_fired() -> None:
    at = BEGIN + HOUR
    made = await read([record(1, at)], triggers=[record(1, at), retraction(1, at + 1)])
    assert apart(made) == []
    assert made.comparison.verdict(FIRED, f"{1:032x}") == Verdict("retracted", "opted_out")


@pytest.mark.parametrize(
    "value",
    [
        b"not json",
        b"[]",
        b"{}",
        b"\xff",
        {"type": "trigger"},
        record(1, BEGIN, type="other"),
        record(1, BEGIN, id="no hex"),
        record(1, BEGIN, id=7),
        record(1, BEGIN, journey=["j"]),
        record(1, BEGIN, version="1"),
        record(1, BEGIN, step=True),
        record(1, BEGIN, to=None),
        record(1, BEGIN, variant=1),
        record(1, BEGIN, anchor=None),
        retraction(1, BEGIN) | {"reason": None},
    ],
)
async def test_a_record_that_is_none_of_ours_is_counted_and_passed_over(value: object) -> None:
    made = await read([], triggers=[value, record(2, BEGIN + 1), None])
    assert made.unreadable == 1
    assert made.comparison.verdict(FIRED, f"{2:032x}") == Verdict("fired", "")
    assert Step("j", 1) in {each.step for each in made.comparison.differences(RULEBOOK, FIRED)}
