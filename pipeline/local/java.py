"""Java and Kafka's jars, fetched once by Maven into the user's cache."""

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.local.errors import MissingError
from pipeline.local.part import Say

_FETCH_SECONDS = 600.0


def java_binary() -> str:
    """Finds Java: JAVA_HOME, else PATH. Its version shows when Kafka's tool first runs."""
    home = os.environ.get("JAVA_HOME")
    if home and (binary := Path(home, "bin", "java")).is_file():
        return str(binary)
    if found := shutil.which("java"):
        return found
    raise MissingError("no Java: install Java 17 or newer, or set JAVA_HOME")


def deploy_folder() -> Path:
    """Finds `deploy/kafka` in the checkout, else where the wheel put its copy."""
    checkout = Path(__file__).parents[2] / "deploy" / "kafka"
    installed = Path(sysconfig.get_path("data"), "share", "pipeline", "kafka")
    for folder in (checkout, installed):
        if (folder / "pom.xml").is_file():
            return folder
    raise MissingError(f"no pom.xml in {checkout} or {installed}: install the pipeline again")


async def jars(say: Say) -> Path:
    """Returns the folder with Kafka's jars, fetching them first where it is missing."""
    pom = deploy_folder() / "pom.xml"
    text = pom.read_bytes()
    version = kafka_version(text.decode())
    target = _cache() / f"kafka-{version}-{hashlib.sha256(text).hexdigest()[:8]}"
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingError("no Maven to fetch Kafka's jars: install Maven")
    say(f"fetching Apache Kafka {version} with Maven, once, into {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as work:
        partial = Path(work, "jars")
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
        # Maven writes beside the pom it reads, and the checkout may not be writable
        shutil.copy(pom, work)
        status, output = await run([maven, "-B", "-q", "-f", f"{work}/pom.xml", *goal])
        if status != 0:
            raise MissingError(f"Maven could not fetch Apache Kafka {version}: {_reason(output)}")
        with contextlib.suppress(OSError):  # another process was first
            partial.rename(target)
    return target


def kafka_version(pom: str) -> str:
    """Reads the pinned version from the pom."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", pom)
    if found is None:
        raise MissingError("deploy/kafka/pom.xml names no kafka.version: restore the file")
    return found[1]


async def run(command: Sequence[str]) -> tuple[int, str]:
    """Runs a command to its end and returns its status and all it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _FETCH_SECONDS)
    except TimeoutError:
        return 1, f"{command[0]} took longer than {_FETCH_SECONDS:.0f} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pipeline"


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith("[ERROR]")]
    return (lines or output.splitlines() or ["it said nothing"])[0].removeprefix("[ERROR] ")[:300]
