"""What came is held against what was expected: one to one, in whatever order, and told in words."""

from typing import Any

import pytest

from pipeline.rulebook.cases import Case
from pipeline.rulebook.compare import differences

Record = dict[str, Any]

TRIGGER: Record = {
    "type": "trigger",
    "id": "t1",
    "journey": "j",
    "version": 1,
    "step": 1,
    "key": "7",
    "userId": "u1",
    "anonymousId": None,
    "channel": "voice",
    "to": "+12125550100",
    "anchor": {"messageId": "m0001", "event": "A", "timestamp": "2026-03-03T15:00:00.000Z"},
    "deadline": "2026-03-04T15:00:00.000Z",
    "firedAt": "2026-03-04T15:00:00.000Z",
    "consent": {"channel": "voice", "status": "subscribed", "ip": "192.0.2.1"},
    "include": {"properties.amount": 30000, "traits.firstName": "Rebecca"},
    "gates": [{"gate": "consent", "verdict": "pass"}],
}
RETRACTION: Record = {
    "type": "retraction",
    "id": "t1",
    "journey": "j",
    "key": "7",
    "userId": "u1",
    "anonymousId": None,
    "channel": "voice",
    "to": "+12125550100",
    "reason": "late_cancel",
    "cause": {"messageId": "m0002", "event": "B"},
    "at": "2026-03-04T16:00:00.000Z",
}
DECISION: Record = {
    "id": "t1",
    "journey": "j",
    "step": 1,
    "key": "7",
    "userId": "u1",
    "outcome": "suppressed",
    "reason": "no_consent",
    "decidedAt": "2026-03-04T15:00:00.000Z",
    "anchor": {"messageId": "m0001"},
}


def found(
    expect: list[Record],
    outputs: list[Record],
    *,
    wanted: list[Record] | None = None,
    decisions: list[Record] | None = None,
) -> list[str]:
    case = Case("n", "f", 1, (), (), 0, tuple(expect), tuple(wanted or []))
    return [each.text for each in differences(case, outputs, decisions or [])]


@pytest.mark.parametrize(
    "want",
    [
        {"trigger": "j"},
        {"trigger": "j", "key": "7"},
        {"trigger": "j", "key": 7},
        {"trigger": "j", "key": 7.0, "user": "u1", "anonymous": None},
        {"trigger": "j", "userId": "u1", "step": 1, "version": 1, "to": "+12125550100"},
        {"trigger": "j", "at": "2026-03-04T15:00:00Z", "anchor": "m0001"},
        {"trigger": "j", "firedAt": "2026-03-04T16:00:00+01:00", "deadline": "2026-03-04 15:00"},
        {"trigger": "j", "anchor": {"event": "A", "timestamp": "2026-03-03T15:00:00Z"}},
        {"trigger": "j", "include": {"properties.amount": 30000.0}},
        {"trigger": "j", "consent": {"ip": "192.0.2.1"}, "gates": [{"gate": "consent"}]},
    ],
)
def test_a_trigger_is_recognised_by_any_of_its_fields(want: Record) -> None:
    assert found([want], [TRIGGER]) == []


@pytest.mark.parametrize(
    "want",
    [
        {"trigger": "k"},
        {"retraction": "j"},
        {"trigger": "j", "key": "8"},
        {"trigger": "j", "key": None},
        {"trigger": "j", "anonymous": "u1"},
        {"trigger": "j", "at": "2026-03-04T15:00:00.001Z"},
        {"trigger": "j", "anchor": "m0002"},
        {"trigger": "j", "step": True},
        {"trigger": "j", "include": {"properties.term": 1}},
        {"trigger": "j", "gates": []},
        {"trigger": "j", "expiresAt": "2026-03-04T15:00:00Z"},
    ],
)
def test_any_other_value_is_a_difference(want: Record) -> None:
    assert found([want], [TRIGGER]) != []


def test_every_output_must_be_accounted_for() -> None:
    assert found([], []) == []
    assert found([], [TRIGGER]) == [
        (
            "unexpected: trigger j, step 1, key 7, userId u1, channel voice, to +12125550100, "
            "firedAt 2026-03-04T15:00:00.000Z"
        )
    ]
    assert len(found([{"trigger": "j"}], [TRIGGER, TRIGGER])) == 1
    assert len(found([{"trigger": "j"}] * 2, [TRIGGER])) == 1


def test_a_general_expectation_does_not_take_what_only_a_particular_one_can_match() -> None:
    others = [{**TRIGGER, "key": str(n)} for n in range(6)]
    wants: list[Record] = [{"trigger": "j"}, {"trigger": "j", "user": "u1"}]
    wants += [{"trigger": "j", "key": n} for n in range(4)]
    assert found(wants, others) == []
    assert found(wants, others[::-1]) == []
    crossed: list[Record] = [
        {"trigger": "j", "key": 1},
        {"trigger": "j", "step": 1},
        {"trigger": "j", "to": "x"},
    ]
    came = [{**TRIGGER, "key": "1", "to": "x"}, {**TRIGGER, "key": "1", "step": 2}, TRIGGER]
    assert found(crossed, came) == []


def test_a_retraction_is_known_by_its_own_fields_and_by_its_triggers() -> None:
    want = {"retraction": "j", "key": "7", "reason": "late_cancel", "at": "2026-03-04T16:00:00Z"}
    assert found([{"trigger": "j"}, {**want, "cause": "m0002"}], [TRIGGER, RETRACTION]) == []
    assert found([{"trigger": "j"}, {**want, "step": 1}], [TRIGGER, RETRACTION]) == []
    assert found([{"trigger": "j"}, {**want, "step": 2}], [TRIGGER, RETRACTION]) != []
    assert found([{"trigger": "j"}, {**want, "reason": "erased"}], [TRIGGER, RETRACTION]) == [
        (
            "expected: retraction j, key 7, reason erased, at 2026-03-04T16:00:00.000Z; came: "
            "retraction j, step 1, key 7, userId u1, channel voice, to +12125550100, "
            "reason late_cancel, at 2026-03-04T16:00:00.000Z"
        )
    ]


def test_what_came_instead_is_told_beside_what_was_expected() -> None:
    (line,) = found([{"trigger": "j", "key": "7", "anchor": "m0003"}], [TRIGGER])
    assert line.startswith("expected: trigger j, key 7, anchor m0003; came: trigger j, step 1")
    assert line.endswith("anchor m0001")


def test_a_missing_trigger_is_explained_by_the_decision_on_it() -> None:
    assert found([{"trigger": "j", "key": "7", "user": "u1"}], [], decisions=[DECISION]) == [
        (
            "missing: trigger j, key 7, user u1 "
            "(decided: step 1 suppressed, no_consent at 2026-03-04T15:00:00.000Z)"
        )
    ]
    assert "no decision about j like it" in found([{"trigger": "j"}], [])[0]
    assert "no decision" in found([{"trigger": "j", "key": 8}], [], decisions=[DECISION])[0]


def test_decisions_must_be_among_those_that_came() -> None:
    other = {**DECISION, "key": "8", "outcome": "fired", "reason": None}
    wanted: list[Record] = [
        {"journey": "j", "outcome": "suppressed", "at": "2026-03-04T15:00:00Z"},
        {"journey": "j", "key": 8, "reason": None, "anchor": "m0001"},
    ]
    assert found([], [], wanted=wanted, decisions=[other, DECISION, DECISION]) == []
    (line,) = found([], [], wanted=[{"journey": "j", "outcome": "expired"}], decisions=[DECISION])
    assert line.startswith("no such decision: journey j, outcome expired (decided: step 1 suppr")


def test_many_alike_are_matched_quickly() -> None:
    outputs = [{**TRIGGER, "key": str(n % 7)} for n in range(600)]
    assert found([{"trigger": "j"}] * 600, outputs) == []
    keyed: list[Record] = [{"trigger": "j", "key": n % 7} for n in range(600)]
    assert found(keyed, outputs[::-1]) == []
