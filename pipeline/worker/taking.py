"""Takes what aiokafka's fetcher has read: a share of every partition, each record as it came.

aiokafka's own `fetched_records` has one limit for all partitions, so that the first ones leave
nothing for the others, and copies each record into an object of eleven fields, of which nobody here
reads but three. Uses private names of aiokafka 0.14; tests/worker/test_transport_contract.py holds
them.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from aiokafka.consumer.fetcher import FetchResult
from faust.types import TP


async def take(
    fetcher: Any,
    wanted: Collection[TP],
    timeout: float,
    most: int,
    flowing: Callable[[], bool] = lambda: True,
) -> dict[TP, list[Any]]:
    """At most `most` records of each wanted partition; none where none came in time.

    Nothing is taken once they are not `flowing` any more.

    Raises what reading a partition failed with, once, and then only where nothing else was read.
    """
    subscriptions, loop = fetcher._subscriptions, asyncio.get_running_loop()  # noqa: SLF001
    until = loop.time() + timeout
    while True:
        if subscriptions.reassignment_in_progress:  # what is there may be of partitions now lost
            await subscriptions.wait_for_assignment()
        if not flowing():
            return {}
        taken = _ready(fetcher, wanted, most)
        left = until - loop.time()
        if taken or left <= 0:
            return taken
        waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
        await asyncio.wait([waiter], timeout=left)
        if not waiter.done() or fetcher._closed:  # noqa: SLF001
            waiter.cancel()
            return {}
        waiter.result()


def _ready(fetcher: Any, wanted: Collection[TP], most: int) -> dict[TP, list[Any]]:
    taken: dict[TP, list[Any]] = {}
    for tp, result in list(fetcher._records.items()):  # noqa: SLF001
        if tp not in wanted:
            if not fetcher._subscriptions.is_assigned(tp):  # noqa: SLF001
                del fetcher._records[tp]  # noqa: SLF001
            continue
        if not isinstance(result, FetchResult):
            if not taken:
                _used(fetcher, tp)
                result.check_raise()
            continue
        records = _records(result, most)
        if not result.has_more():
            _used(fetcher, tp)
        if records:
            taken[tp] = records
    return taken


def _records(result: Any, most: int) -> list[Any]:
    if result.has_more():
        result._partition_records._consumer_record = _as_it_came  # noqa: SLF001
    records: list[Any] = result.getall(most)
    return records


def _as_it_came(_: Any, record: Any) -> Any:
    return record


def _used(fetcher: Any, tp: TP) -> None:
    """Its partition may be fetched again."""
    del fetcher._records[tp]  # noqa: SLF001
    fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
