"""Whether anything is left to do: the lag, the outboxes, what is due."""

from pipeline.ports import START
from tests.simulation.group import GROUP
from tests.simulation.system import NAMES, System


def unsettled(system: System) -> str:
    """What is not done yet; nothing where all is."""
    kafka, redis = system.kafka, system.redis
    for number in range(system.raw_partitions):
        committed = kafka.committed(GROUP, NAMES.raw, number)
        at = committed.offset if committed else 0
        if at < (end := kafka.end(NAMES.raw, number)):
            return f"normalize is at {at} of {end} in raw {number}"
    now = system.wall()
    for number in range(system.partitions):
        state = redis.primary.state(number)
        watermark, end = state.watermark or START, kafka.end(NAMES.events, number)
        if watermark.offset < end:
            return f"partition {number} is at {watermark} of {end}"
        if state.outboxes[True]:
            return f"partition {number} has {len(state.outboxes[True])} internal entries"
        outward = state.outboxes[False]
        if outward and outward[-1].mark > _place(system, number):
            return f"partition {number} has outward entries up to {outward[-1].mark}"
        if state.index and state.index[0][0] <= now:
            return f"partition {number} has had something due for {now - state.index[0][0]} ms"
    return ""


def _place(system: System, number: int) -> tuple[int, int]:
    committed = system.kafka.committed(NAMES.relay_group, NAMES.events, number)
    if committed is None:
        return (0, 0)
    offset, _, index = committed.metadata.partition(":")
    return (int(offset), int(index))
