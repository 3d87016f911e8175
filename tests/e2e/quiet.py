"""One run without any fault, and all that could be seen of it."""

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness import Pipe, Stage, pipe
from tests.e2e.load import Load, make, rulebook
from tests.e2e.looking import get, metrics

BROKEN = (
    b'{"type":"identify","userId":"u1","traits":{"phone":"+12125550100","firstName":"Zebulonia',
    b'{"type":"identity","userId":"u2","traits":{"lastName":"Quetzalcoat1","email":"a@canary.example"}}',
)
"""Refused, and not to be told of in logs."""
PATHS = ("/health", "/ready", "/metrics", "/", "/table", "/tables", "/router", "/agents", "/stats")

Samples = dict[tuple[str, str], float]


@dataclass
class Quiet:
    """`before` and `after` are samples of the worker's metrics."""

    load: Load
    pipe: Pipe
    folder: Path
    answers: dict[str, int]
    health: bytes
    ready: bytes
    text: bytes
    before: Samples
    after: Samples
    listening: set[tuple[str, int]] | None
    port: int
    late: set[str]
    fallen: list[str]


async def quiet_run(stage: Stage, folder: Path) -> Quiet:
    """Load, all decisions, then a signature of each loan that was called."""
    load = make(390, 4.0)
    async with pipe(stage, folder, workers=1, book=rulebook("3s")) as running:
        (worker,) = running.workers
        before = await metrics(worker.port)
        await running.send(load)
        await running.write(*BROKEN)
        await running.decided(load, 30)
        late = await running.sign_late(load)
        await running.until(lambda: len(running.read.of("retraction")) >= len(late), 20)
        bodies = {path: await get(worker.port, path) for path in PATHS}
        return Quiet(
            load=load,
            pipe=running,
            folder=folder,
            answers={path: status for path, (status, _) in bodies.items()},
            health=bodies["/health"][1],
            ready=bodies["/ready"][1],
            text=bodies["/metrics"][1],
            before=before,
            after=await metrics(worker.port),
            listening=listening(worker.pid or 0),
            port=worker.port,
            late=late,
            fallen=running.fallen(),
        )


def listening(pid: int) -> set[tuple[str, int]] | None:
    """Addresses on which a process listens, as the kernel writes them; None where it can't say."""
    folder = Path(f"/proc/{pid}")
    if not folder.is_dir():
        return None
    links = [str(link.readlink()) for link in (folder / "fd").iterdir()]
    sockets = {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for name in ("tcp", "tcp6"):
        for line in (folder / "net" / name).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in sockets:
                host, port = words[1].split(":")
                found.add((host, int(port, 16)))
    return found
