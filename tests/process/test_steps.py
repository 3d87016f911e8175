"""Steps with conditions, repetitions, dates, variants in the state process: bytes and records."""

import dataclasses
import random
from typing import Any

import msgspec
import orjson
import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.facts import Start
from pipeline.domain.messages import Erase, Record
from pipeline.domain.outputs import Attempt, Decision
from pipeline.domain.refs import Ref
from pipeline.process.portion import Place
from pipeline.process.state import StateProcess
from pipeline.rulebook.compile import canonical_document
from pipeline.wire.records import Announce, Enforce, encode, encode_control
from tests.golden.fill import fill
from tests.process.folding import NAMES, RULES, Folding
from tests.schemas.schema_documents import faults

DOCUMENT = canonical_document(
    {
        "journeys": [
            {
                "journey": "j",
                "version": 1,
                "key": "properties.loanId",
                "match": match,
                "start": "Approved",
                "unless": "Signed",
                "experiment": {"salt": "x", "variants": {"short": 50, "long": 50}},
                "steps": [
                    {
                        "after": "1h",
                        "channel": "voice",
                        "variant": "short",
                        "every": "2h",
                        "times": 3,
                    },
                    {"after": "1h", "channel": "voice", "variant": "long", "when": "traits.vip"},
                    {
                        "until": "properties.due",
                        "offset": "-30m",
                        "within": "3d",
                        "channel": "voice",
                    },
                ],
            }
            | {"journey": f"j-{match}"}
            for match in ("person", "key")
        ]
    }
)
PEOPLE = ("ann", "bob", "cid", "dan", "eve")


async def history(world: Folding) -> None:
    """Starts with and without dates, a link, a merge, a late cancel, an erasure; ticks between."""
    world.write(encode_control(Announce("d", DOCUMENT)), encode_control(Enforce("d")))
    for n, user in enumerate(PEOPLE):
        world.call(user, "identify", anonymousId=f"a-{user}", traits={"vip": n % 2 == 0})
        world.known(user)
        due = ["2026-02-25T12:00:00Z", "2026-02-26", "2026-02-20", "soon", None][n]
        world.call(user, event="Approved", properties={"loanId": 7, "due": due})
    await world.take()
    world.tick(2)
    await world.take()
    world.call("bob", "alias", previousId="ann")
    world.call("cid", event="Signed", properties={"loanId": "cid"})
    world.write(encode(Record(Ref("person", "eve"), None, None, Erase())))
    await world.take()
    for hours in (4, 6, 9, 30, 400):
        world.tick(hours)
        await world.take()


@pytest.mark.parametrize("seed", range(5))
async def test_folding_the_log_again_gives_the_same_state_and_records(seed: int) -> None:
    world, store, outputs = Folding(), MemoryStore(), []
    await history(world)

    process = StateProcess(
        Place(0, 1, "", NAMES.events), store, lambda change: outputs.extend(change.outward)
    )
    at, chance = (await process.open()).offset, random.Random(seed)
    while at < len(world.log):
        count = chance.randint(1, 9)
        await process.apply(world.log[at : at + count])
        at += count

    assert outputs == world.outputs
    assert dict(store._of(0).entities) == world.entities()


async def test_every_record_is_as_its_schema_says() -> None:
    world = Folding()
    await history(world)
    triggers, decisions = (
        [orjson.loads(entry.value) for entry in world.published(topic) if entry.value]
        for topic in (NAMES.triggers, NAMES.decisions)
    )

    assert [fault for each in triggers for fault in faults("triggers.schema.json", each)] == []
    assert [fault for each in decisions for fault in faults("decision.schema.json", each)] == []
    assert {each["variant"] for each in decisions} == {"short", "long"}
    assert {each["reason"] for each in decisions} >= {"missing_date", "condition", "cancelled"}
    assert all("variant" in each for each in triggers if each["type"] == "trigger")


async def test_records_of_a_journey_without_an_experiment_have_no_variant() -> None:
    world = Folding()
    world.write(*RULES)
    world.known("ann")
    await world.take()
    world.tick(2)
    await world.take()
    published = [*world.published(NAMES.triggers), *world.published(NAMES.decisions)]

    assert len(published) == 2
    assert not any("variant" in orjson.loads(entry.value or b"") for entry in published)


async def test_no_record_names_a_step_that_its_wait_does_not_have() -> None:
    """Steps 1 to 3 are of `short`, 4 of `long`, 5 of both; eve's starts name no date."""
    world = Folding()
    await history(world)
    decisions = [orjson.loads(entry.value or b"") for entry in world.published(NAMES.decisions)]

    steps = {"short": {1, 2, 3, 5}, "long": {4, 5}}
    assert [each for each in decisions if each["step"] not in steps[each["variant"]]] == []
    erased = [each["step"] for each in decisions if each["outcome"] == "erased"]
    assert erased
    assert 5 not in erased


@pytest.mark.parametrize(
    ("kind", "new"), [(Start, "dates"), (Attempt, "variant"), (Decision, "variant")]
)
def test_what_was_written_before_there_were_dates_and_variants_is_read_as_without(
    kind: Any, new: str
) -> None:
    value = fill(kind)
    old = msgspec.to_builtins(value)
    del old[new]

    read = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=kind)
    assert read == dataclasses.replace(value, **{new: {} if new == "dates" else None})
