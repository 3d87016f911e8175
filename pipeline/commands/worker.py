"""`pipeline worker`: one Faust worker until SIGTERM or Ctrl-C."""

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from pipeline.commands.common import CHECK_FAILED, Failure, reachable, run
from pipeline.ports import LogUnavailable, StoreUnavailable
from pipeline.process.state import Halted
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.process.guard import Rebuild


@click.command("worker")
@click.option("-v", "--verbose", is_flag=True, help="Also what Faust and the Kafka client say.")
@click.option(
    "--rebuild", is_flag=True, help="First remove the state in Redis: the log is folded again."
)
@click.option(
    "--accept-loss", is_flag=True, help="With --rebuild: although the log's beginning is gone."
)
@click.option(
    "--accept-repeats",
    is_flag=True,
    help="Although what was published may be published again: with --rebuild, or where Kafka has"
    " forgotten how far it was.",
)
def command(*, verbose: bool, rebuild: bool, accept_loss: bool, accept_repeats: bool) -> None:
    """One Faust worker: normalize and state agents. More of them take more partitions.

    It refuses to begin (exit status 1) where Redis and the log do not belong together.
    """
    from pipeline.process.guard import Rebuild
    from pipeline.worker.logs import configure

    if accept_loss and not rebuild:
        raise Failure("--accept-loss goes with --rebuild")
    configure(verbose=verbose)
    again = Rebuild(accept_loss, accept_repeats) if rebuild else None
    run(_work(reachable(), again, repeats=accept_repeats))


async def _work(settings: Settings, rebuild: "Rebuild | None", *, repeats: bool) -> None:
    from pipeline.worker.doors import PortTaken
    from pipeline.worker.lanes import HandlerFailed
    from pipeline.worker.thread import PositionLost, TopicMissing
    from pipeline.worker.worker import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await serve(settings, stop, rebuild=rebuild, repeats=repeats)
    except PortTaken as error:
        raise Failure(str(error)) from None
    except (Halted, PositionLost, TopicMissing) as error:
        raise Failure(str(error), CHECK_FAILED) from None
    except HandlerFailed as error:
        if isinstance(error.__cause__, StoreUnavailable | LogUnavailable):
            raise error.__cause__ from None
        # the cause may hold what an event holds: only its type is told
        raise Failure(str(error), CHECK_FAILED) from None
