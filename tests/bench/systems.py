"""What is compared: how each system is started on a run's topics, and how much code it is."""

import ast
import contextlib
import io
import subprocess
import sys
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.local.part import Part
from pipeline.local.ports import free_ports
from tests.bench.job import RULEBOOK, WORKERS

ROOT: Final = Path(__file__).parents[2]
PEERS: Final = Path(__file__).parent / "peers"
BENCH_PYTHON: Final = ROOT / ".cache" / "bench" / "bin" / "python"
"""Has the peers' libraries, which are none of the product's; `make bench` makes it."""


class Process(Part):
    """One worker of a peer."""

    name = "Worker"
    stop_seconds = 15.0

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], home: Path) -> None:
        """`home` keeps its log."""
        super().__init__(home)
        self._command = list(command)
        self.environment = {**environment, "PYTHONPATH": str(ROOT)}

    @property
    def address(self) -> str:
        """It has none."""
        return ""

    async def command(self) -> list[str]:
        """As it was given."""
        return self._command

    async def answers(self) -> bool:
        """Nothing to ask: it works as soon as the group lets it."""
        return True


@dataclass(frozen=True, slots=True)
class System:
    """A peer, or ours where there is no command."""

    name: str
    title: str
    sources: tuple[Path, ...] = ()
    command: tuple[str, ...] = ()
    needs: str | None = None
    """A module that the bench environment must have."""
    flush: bool = False
    """A last record in each raw partition tells it that no more comes."""
    share: float = 1.0
    """Of the load: a part of it tells the rate of a system that takes minutes for all."""
    copies: bool = False
    """It only republishes."""

    def processes(self, environment: Mapping[str, str], home: Path) -> list[Process]:
        """Its workers, not started yet."""
        ports = free_ports(WORKERS)
        peers = ";".join(f"127.0.0.1:{port}" for port in ports)
        return [
            Process(
                [part.format(nth=nth, peers=peers) for part in self.command],
                environment,
                home / f"worker-{nth}",
            )
            for nth in range(WORKERS)
        ]

    def missing(self) -> str | None:
        """Why it can't run here."""
        if self.needs is None:
            return None
        probe = [str(BENCH_PYTHON), "-c", f"import {self.needs}"]
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return None
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"{self.needs} is not installed in .cache/bench (Python {version}): see `make bench`"

    def lines(self) -> int:
        """Lines of code a user writes for the job; of ours it is the rulebook."""
        if not self.sources:
            return len(RULEBOOK.splitlines())
        return sum(code_lines(source.read_text()) for source in self.sources)


def code_lines(source: str) -> int:
    """Lines that hold code: no blank ones, comments or docstrings."""
    prose: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored and token.type != tokenize.ENDMARKER:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - prose)


_BENCH: Final = str(BENCH_PYTHON)
_FLOW: Final = "tests.bench.peers.bytewax_flow:flow"

OURS: Final = System("ours", "this pipeline")
SYSTEMS: Final = (
    OURS,
    System(
        "faust",
        "stock Faust + Redis",
        (PEERS / "faust_redis.py",),
        (sys.executable, str(PEERS / "faust_redis.py"), "worker", "-l", "warn", "--without-web"),
        flush=True,
        share=0.2,
    ),
    System(
        "quix",
        "Quix Streams (RocksDB)",
        (PEERS / "quix.py", PEERS / "rules.py"),
        (_BENCH, "-m", "tests.bench.peers.quix"),
        needs="quixstreams",
        flush=True,
    ),
    System(
        "bytewax",
        "Bytewax (memory only)",
        (PEERS / "bytewax_flow.py", PEERS / "rules.py"),
        (_BENCH, "-m", "bytewax.run", _FLOW, "-i", "{nth}", "-a", "{peers}"),
        needs="bytewax",
    ),
    System(
        "ceiling",
        "decode and republish",
        (PEERS / "ceiling.py",),
        (sys.executable, "-m", "tests.bench.peers.ceiling"),
        copies=True,
    ),
)
