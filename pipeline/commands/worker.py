"""`pipeline worker`: one Faust worker until SIGTERM or Ctrl-C."""

import asyncio
import signal

import click

from pipeline.commands.common import CHECK_FAILED, Failure, reachable, run
from pipeline.ports import LogUnavailable, StoreUnavailable
from pipeline.process.state import Halted
from pipeline.settings import Settings


@click.command("worker")
@click.option("-v", "--verbose", is_flag=True, help="Also what Faust and the Kafka client say.")
def command(*, verbose: bool) -> None:
    """One Faust worker: normalize and state agents. More of them take more partitions."""
    from pipeline.worker.logs import configure

    configure(verbose=verbose)
    run(_work(reachable()))


async def _work(settings: Settings) -> None:
    from pipeline.worker.doors import PortTaken
    from pipeline.worker.lanes import HandlerFailed
    from pipeline.worker.worker import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await serve(settings, stop)
    except (Halted, PortTaken) as error:
        raise Failure(str(error)) from None
    except HandlerFailed as error:
        if isinstance(error.__cause__, StoreUnavailable | LogUnavailable):
            raise error.__cause__ from None
        # the cause may hold what an event holds: only its type is told
        raise Failure(str(error), CHECK_FAILED) from None
