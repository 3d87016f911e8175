"""`pipeline erase ID`: right to erasure, through the log."""

from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.commands.common import (
    CHECK_FAILED,
    Failure,
    json_option,
    print_json,
    reachable,
    run,
)

if TYPE_CHECKING:
    from pipeline.commands.people import Found
    from pipeline.commands.reach import Reach
    from pipeline.domain.refs import Ref
    from pipeline.settings import Settings

_WAIT_MS: Final = 10_000
_PAUSE: Final = 0.1


@click.command("erase")
@click.argument("id", type=str)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(id: str, yes: bool, as_json: bool) -> None:  # noqa: A002  # named so in the usage line
    """Erase a person by userId or anonymousId: for good, under all their ids."""
    settings = reachable()
    id_ = id.strip()
    if not id_:
        raise Failure("erase: the id is blank: give a userId or anonymousId")
    found = run(_look_up(settings, id_))
    click.echo(_what_happens(id_, found), err=True)
    if not yes:
        click.confirm("Erase?", abort=True, err=True)
    proof = run(_erase(settings, id_, found.ref if found else None))
    if as_json:
        print_json(proof)
        return
    at = proof["record"]
    click.echo(f"erasure stands at {at['topic']} {at['partition']}:{at['offset']}")
    if proof["taken"]:
        click.echo(f"taken: state removed, id suppressed (watermark {proof['watermark']})")
    else:
        click.echo(
            "not taken yet: no worker is running, or it is behind; it stands in the log and will"
            " be taken. See `pipeline doctor`"
        )


async def _look_up(settings: "Settings", id_: str) -> "Found | None":
    from pipeline.commands.people import People
    from pipeline.commands.reach import reach

    async with reach(settings) as pipeline:
        await pipeline.partitions()
        found = await People(pipeline).find(id_)
    by_id = [one for one in found if one.via[0] in {f"userId {id_}", f"anonymousId {id_}"}]
    if found and not by_id:
        whose = ", ".join(sorted(one.ref.id for one in found if one.ref.kind != "address"))
        raise Failure(
            f"{id_} is a phone or email, not an id: erase whose it is: {whose or 'nobody known'}",
            CHECK_FAILED,
        )
    return by_id[0] if by_id else None


def _what_happens(id_: str, found: "Found | None") -> str:
    from pipeline.commands.tables import count_of, shown

    if found is None:
        return f"{shown(id_)} is not known: the id will be suppressed, later events of it dropped"
    if found.erased:
        return f"{shown(id_)} is erased already"
    profile = found.profile
    ids = sorted(found.own_ids)
    points = len(profile.phones.known()) + len(profile.emails.known())
    return (
        f"{shown(', '.join(ids))}: removes the profile and the opt-ins of"
        f" {count_of(points, 'address', 'addresses')} (also for people who share one), ends"
        " all open waits, retracts triggers that are out, suppresses these ids for good"
    )


async def _erase(settings: "Settings", id_: str, target: "Ref | None") -> dict[str, Any]:
    from pipeline.commands.people import People
    from pipeline.commands.reach import reach
    from pipeline.domain.messages import Erase, Record
    from pipeline.domain.refs import Ref
    from pipeline.wire.records import encode
    from pipeline.wire.state import partition_of

    async with reach(settings) as pipeline:
        log = await pipeline.log()
        # a userId; a person that nobody knows hands it on to the device of that id
        ref = Ref("person", id_)
        partition = partition_of(ref, settings.partitions)
        before = (await log.event_ends())[partition]
        value = encode(Record(ref, None, None, Erase()))
        await log.append(partition, value)
        offset = await _position(pipeline, partition, before, value)
        deadline = pipeline.clock.now() + _WAIT_MS
        people = People(pipeline)
        while not (taken := await people.erased(target or ref)):
            if pipeline.clock.now() > deadline:
                break
            await pipeline.clock.sleep(_PAUSE)
        watermark = (await pipeline.store.progress([partition]))[partition].watermark.offset
    return {
        "id": id_,
        "record": {"topic": settings.names.events, "partition": partition, "offset": offset},
        "watermark": watermark,
        "taken": taken,
    }


async def _position(pipeline: "Reach", partition: int, before: int, value: bytes) -> int:
    """Where the record stands: the proof is read back, not believed."""
    events = pipeline.settings.names.events
    records = pipeline.reader.read(
        events, begin={partition: before}, wanted=lambda kept: kept.value == value
    )
    async for kept in records:
        return kept.offset
    raise Failure(f"{events} {partition}: the erasure is not there: erase again", CHECK_FAILED)
