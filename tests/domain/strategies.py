"""Small values that collide often: few ids, few instants, few numbers."""

from hypothesis import strategies as st

from pipeline.domain.claims import Claim
from pipeline.domain.events import AddressFact, Event, Source, Via
from pipeline.domain.facts import Cancel, EventRef, Facts, Start

MINUTE = 60_000
instants = st.integers(0, 12).map(lambda n: 1_700_000_000_000 + n * 10 * MINUTE)
message_ids = st.integers(1, 30).map(lambda n: f"m{n:02d}")
numbers = st.sampled_from(["+12125550100", "+12125550101", "+12125550102"])
sources = st.builds(Source, st.just("segment.raw"), st.just(0), st.integers(0, 99))


@st.composite
def address_facts(draw: st.DrawFn) -> AddressFact:
    vias: list[Via] = ["trait", "primary", "not_primary", "known"]
    via = draw(st.sampled_from(vias))
    value = draw(numbers)
    return AddressFact("phone", None if via == "trait" and draw(st.booleans()) else value, via)


@st.composite
def identifies(draw: st.DrawFn) -> Event:
    names = st.sampled_from(["state", "firstName", "plan"])
    return Event(
        type="identify",
        name="",
        user_id="u1",
        anonymous_id=None,
        message_id=draw(message_ids),
        time=draw(instants),
        kafka_time=1_800_000_000_000,
        source=draw(sources),
        traits=draw(st.dictionaries(names, st.sampled_from(["a", "b", None]), max_size=2)),
        addresses=tuple(draw(st.lists(address_facts(), max_size=2))),
    )


def ref(message_id: str, time: int) -> EventRef:
    return EventRef(message_id, "Approved", time, Source("segment.raw", 0, 0))


@st.composite
def start_values(draw: st.DrawFn) -> Start:
    time = draw(instants)
    return Start("u1", 1, ref(draw(message_ids), time), time, "track", {}, {}, "person", "u1")


@st.composite
def cancel_values(draw: st.DrawFn) -> Cancel:
    time = draw(instants)
    return Cancel("u1", ref("c" + draw(message_ids), time), time, (1,))


@st.composite
def facts_values(draw: st.DrawFn) -> Facts:
    starts = draw(st.lists(start_values(), max_size=5, unique_by=lambda start: start.identity))
    cancels = draw(st.lists(cancel_values(), max_size=3, unique_by=lambda cancel: cancel.order))
    return Facts(starts, cancels)


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    time = draw(instants)
    subscribed = draw(st.booleans())
    event = ref(draw(message_ids), time)
    return Claim("voice", subscribed, time, "192.0.2.1", None, None, "identify", event, "u1")
