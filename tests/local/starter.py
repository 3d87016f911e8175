"""Starts parts, says where they are, and waits to be ended. Run by the tests as a process."""

import asyncio
import json
import sys

from pipeline.local import parts


async def main() -> None:
    kafka = None if "kafka" in sys.argv else "127.0.0.1:1"
    async with parts(bootstrap_servers=kafka, redis_url=None) as addresses:
        print(json.dumps([addresses.bootstrap_servers, addresses.redis_url]), flush=True)
        await asyncio.sleep(60)


asyncio.run(main())
