"""Loopback ports for the parts that are started."""

import socket
from pathlib import Path
from random import SystemRandom

from pipeline.local.errors import LocalError

# Below the range from which Linux and macOS take ports for outgoing connections. A port from that
# range can be taken, or connected to by itself, while the server that owns it is being restarted.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 200


def free_ports(count: int) -> list[int]:
    """Returns `count` loopback ports that nothing listens on."""
    found: list[int] = []
    random = SystemRandom()
    for _ in range(_TRIES):
        port = random.randint(_FIRST, _LAST)
        if port not in found and is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise LocalError(f"no free port on 127.0.0.1 from {_FIRST} to {_LAST}: stop what listens there")


def kept_ports(file: Path, count: int) -> list[int]:
    """Returns the ports named in `file` while they are free, else new ones, which it writes there.

    So a system with `--data` has the same addresses on its next run.
    """
    if file.exists():
        kept = [int(word) for word in file.read_text().split() if word.isdigit()]
        if len(kept) == count and all(is_free(port) for port in kept):
            return kept
    ports = free_ports(count)
    file.write_text(" ".join(map(str, ports)) + "\n")
    return ports


def is_free(port: int) -> bool:
    """Tells whether a server could listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Tells whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
