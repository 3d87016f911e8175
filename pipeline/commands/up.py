"""`pipeline up`: the whole system on this machine until Ctrl-C."""

import asyncio
import signal
from pathlib import Path

import click

from pipeline.commands.common import run, settings
from pipeline.commands.system import System, check_alive, system

SAMPLE = Path(__file__).parents[2] / "deploy" / "rulebook"
LOOK_SECONDS = 1.0


@click.command("up")
@click.option(
    "--rulebook",
    type=click.Path(path_type=Path),
    default=SAMPLE,
    help="Folder of the rulebook; the sample one if left out.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Keep state between runs here.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
def command(rulebook: Path, data: Path | None, workers: int) -> None:
    """The whole system on this machine until Ctrl-C; prints every address."""
    run(_up(rulebook, data, workers))


async def _up(rulebook: Path, data: Path | None, workers: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    found = settings()
    work = asyncio.create_task(_serve(rulebook, data, workers, found.http_port, stop), name="up")
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not work.done() and stop.is_set():
        await asyncio.wait({work}, timeout=LOOK_SECONDS)
        work.cancel()  # it may still be starting
    try:
        await work
    except asyncio.CancelledError:
        click.echo("stopped")


async def _serve(
    rulebook: Path, data: Path | None, workers: int, port: int, stop: asyncio.Event
) -> None:
    async with system(
        settings(),
        rulebook=rulebook,
        workers=workers,
        data=data,
        say=click.echo,
        ports=lambda number: port + number if port else None,
    ) as running:
        _show(running, rulebook)
        while not stop.is_set():
            check_alive(running)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
        click.echo("stopping")


def _show(running: System, rulebook: Path) -> None:
    names = running.settings.names
    click.echo("")
    click.echo(f"broker    KAFKA_BOOTSTRAP_SERVERS={running.addresses.bootstrap_servers}")
    click.echo(f"Redis     REDIS_URL={running.addresses.redis_url}")
    click.echo(f"rulebook  {rulebook}")
    click.echo(f"write to  {names.raw}")
    click.echo(f"read from {names.triggers} (isolation.level=read_committed)")
    for number, worker in enumerate(running.workers, 1):
        click.echo(f"worker {number}  {worker.address}/metrics  /health  /ready  log {worker.log}")
    click.echo("")
    click.echo("running; Ctrl-C stops everything")
