"""A worker in a process of its own: prints what it handled, a line a batch."""

import asyncio
import logging
import signal
import sys

from pipeline.settings import KafkaSettings
from pipeline.worker.ledger import Batch
from pipeline.worker.options import Options
from pipeline.worker.transport import make_app, run


async def main(servers: str, group: str, raw: str, events: str, pause: str) -> None:
    async def handle(topic: str, partition: int, records: Batch) -> None:
        await asyncio.sleep(float(pause))
        print(topic, partition, records[0].offset, records[-1].offset, len(records), flush=True)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = Options(KafkaSettings(servers), group, records=100, session=6.0)
    await run(make_app(options, raw=raw, events=events, normalize=handle, apply=handle), stop)


if __name__ == "__main__":
    logging.disable()
    asyncio.run(main(*sys.argv[1:]))
