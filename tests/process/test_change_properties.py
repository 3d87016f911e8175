"""Whatever happens around a change, wherever it has been taken and wherever not yet: no escape."""

import asyncio
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.versions import Ruling
from tests.process.changing import Changing, at, journey

USERS = ("u0", "u1", "u2", "u3")
Deed = tuple[Any, ...]
Change = Literal["drop", "move", "pause"]

deeds = st.one_of(
    st.tuples(st.just("Approved"), st.sampled_from(USERS), st.sampled_from("AB")),
    st.tuples(st.just("Signed"), st.sampled_from(USERS), st.sampled_from("AB")),
    st.tuples(st.just("alias"), st.sampled_from(USERS), st.sampled_from(USERS)),
    st.tuples(st.just("anonymous"), st.sampled_from(USERS), st.sampled_from("AB")),
    st.tuples(st.just("link"), st.sampled_from(USERS), st.just("")),
)
STEPS = [{"after": "1h", "channel": "voice"}, {"after": "3h", "channel": "voice"}]
PARTITIONS = 3


async def act(world: Changing, deed: Deed, clock: str) -> None:
    kind, user, other = deed
    match kind:
        case "alias":
            await world.send(clock, "alias", user, previousId=other)
        case "anonymous":
            device = {"anonymousId": f"d{user}", "userId": None}
            properties = {"id": other}
            await world.send(
                clock, "track", user, event="Approved", properties=properties, **device
            )
        case "link":
            await world.send(clock, "identify", user, anonymousId=f"d{user}", traits={})
        case _:
            await world.track(clock, user, kind, other)


async def course(
    deeds_: list[list[Deed]], order: list[int], change: Change, match: str
) -> tuple[Changing, int]:
    """Deeds between the partitions' turns to take the change; returns when all had taken it."""
    world = Changing(PARTITIONS)
    old = journey(match=match, steps=STEPS)
    await world.apply("08:00", old)
    await world.known(*USERS)
    paused = {"status": "paused"} if change == "pause" else {"version": 2}
    following = await world.announce({**old, **paused})
    rulings = {"drop": {"j": Ruling(drop=2)}, "move": {"j": Ruling(move=2)}, "pause": {}}[change]
    for nth, some in enumerate(deeds_):
        clock = f"{10 + nth // 4}:{nth % 4 * 15:02}"
        for deed in some:
            await act(world, deed, clock)
        if nth < PARTITIONS:
            await world.apply_in(order[nth], following, **rulings)
    changed = world.replay.now
    await world.until("18:00")
    if change == "pause":
        await world.apply("18:00", old)
    await world.until("23:00")
    return world, changed


@settings(max_examples=60)
@given(
    st.lists(st.lists(deeds, max_size=4), min_size=PARTITIONS, max_size=6),
    st.permutations(range(PARTITIONS)),
    st.sampled_from(["drop", "move", "pause"]),
    st.sampled_from(["person", "key"]),
)
def test_nothing_of_the_old_goes_on_once_all_have_taken_the_change(
    deeds_: list[list[Deed]], order: list[int], change: Change, match: str
) -> None:
    world, changed = asyncio.run(course(deeds_, order, change, match))

    sent = [one for one in world.sent() if one["type"] == "trigger"]
    assert len({one["id"] for one in sent}) == len(sent)
    clock = "18:00" if change == "pause" else ""
    for one in sent:
        late = at(one["firedAt"][11:16]) > changed
        if late and change == "pause":
            assert one["firedAt"][11:16] >= clock
        elif late:
            assert one["version"] == 2
    assert world.replay.counts["fold_failed"] == 0
