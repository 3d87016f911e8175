"""A server process that does not outlive the process which started it, however that one ends."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from pipeline.local.errors import LocalError

# The guard leads the process group of the server, so a Ctrl-C in the terminal reaches neither.
# Its standard input is a pipe from the starter, which the kernel closes at any end of the starter,
# kill -9 too. Then it ends the server, removes the folder named as $1 if any, and its own group.
_GUARD = """
trap '' HUP INT TERM
exec 2>/dev/null
read -r server
read -r starter_ended
kill -TERM "$server"
tries=0
while kill -0 "$server" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$server"
[ -z "$1" ] || rm -rf -- "$1"
kill -KILL 0
"""
_LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.02


class Child:
    """One running server and its guard."""

    def __init__(self, server: subprocess.Popen[bytes], guard: subprocess.Popen[bytes]) -> None:
        self._server = server
        self._guard = guard

    @classmethod
    def spawn(
        cls,
        command: Sequence[str],
        *,
        home: Path,
        log: Path,
        temporary: bool,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Starts `command` in `home`, its output appended to `log`.

        The server holds a lock on `home` as long as it lives: two on one folder would corrupt it.
        A temporary home is removed by the guard when the starter dies without doing so.
        """
        with (home / "lock").open("wb") as lock, log.open("ab") as output:
            _lock(lock.fileno(), home)
            guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", str(home) if temporary else ""],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                process_group=0,
            )
            try:
                server = subprocess.Popen(
                    command,
                    cwd=home,
                    env=None if environment is None else {**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=guard.pid,
                    pass_fds=[lock.fileno()],
                )
            except OSError as error:
                _end(guard)
                raise LocalError(f"cannot run {command[0]}: {error.strerror}") from error
        assert guard.stdin is not None
        guard.stdin.write(b"%d\n" % server.pid)
        guard.stdin.flush()
        return cls(server, guard)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid

    def running(self) -> bool:
        """Tells whether the server still runs."""
        return self._server.poll() is None

    async def stop(self, grace: float) -> None:
        """Asks the server to end, waits `grace` seconds for it, then kills what is left."""
        self._server.terminate()
        deadline = time.monotonic() + grace
        while self.running() and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kills the server, whatever it started, and the guard. Without effect the second time."""
        _end(self._guard)
        self._server.wait()


def _end(guard: subprocess.Popen[bytes]) -> None:
    if guard.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(guard.pid, signal.SIGKILL)
    guard.wait()
    assert guard.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        guard.stdin.close()


def _lock(handle: int, home: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LocalError(f"{home} is in use: stop the pipeline that runs on it") from None
            time.sleep(_POLL_SECONDS)
        else:
            return
