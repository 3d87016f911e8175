"""The outbox as a queue: memory, the store, and what goes on while the store is asked."""

import asyncio
from collections.abc import Sequence

from pipeline.adapters.memory_store import MemoryStore
from pipeline.ports import Change, Entry, Mark
from pipeline.process.outbox import Outbox


class Slow(MemoryStore):
    """Answers when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def outbox(
        self, partition: int, *, internal: bool, after: Mark | None, limit: int
    ) -> list[Entry]:
        page = await super().outbox(partition, internal=internal, after=after, limit=limit)
        self.asked.set()
        await self.answers.wait()
        return page


def marks(entries: Sequence[Entry]) -> list[int]:
    return [entry.mark.offset for entry in entries]


async def test_what_was_read_before_a_reload_does_not_hide_what_it_asks_for() -> None:
    store = Slow()
    entries = [Entry(Mark(offset, 1), "contacts", b"k", b"v") for offset in (1, 2, 3)]
    await store.commit(0, None, Change(Mark(4, 0), outward=entries))
    outbox = Outbox(store, 0, internal=False)
    outbox.reload(Mark(2, 1))

    taking = asyncio.create_task(outbox.take(10))
    await store.asked.wait()
    outbox.reload(None)
    store.answers.set()

    assert marks(await taking) == [1, 2, 3]
