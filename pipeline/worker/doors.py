"""A worker's HTTP doors: health, readiness, metrics; where PIPELINE_HTTP says."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from pipeline.adapters.metrics import Metrics

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class PortTaken(Exception):
    """The address of the doors can't be had; one line."""


@asynccontextmanager
async def doors(
    host: str,
    port: int,
    metrics: Metrics,
    ready: Callable[[], str | None],
    before_metrics: Callable[[], None],
) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port.

    `ready` gives the reason why the worker is not, or None. `before_metrics` brings gauges up to
    date.
    """

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readiness(_: web.Request) -> web.Response:
        reason = ready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def show(_: web.Request) -> web.Response:
        before_metrics()
        return web.Response(body=metrics.text(), headers={"Content-Type": _TEXT})

    app = web.Application()
    app.add_routes(
        [web.get("/health", health), web.get("/ready", readiness), web.get("/metrics", show)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            reason = error.strerror or "refused"
            raise PortTaken(
                f"PIPELINE_HTTP: can't listen on {host}:{port} ({reason}): give another port"
            ) from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
