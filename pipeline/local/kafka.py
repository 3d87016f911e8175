"""Apache Kafka on this machine's Java: one KRaft node, broker and controller in one process."""

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from pipeline.local.errors import LocalError, MissingError
from pipeline.local.java import deploy_folder, jars, java_binary, run
from pipeline.local.part import Part, last_words
from pipeline.local.ports import is_open, kept_ports

# Any 16 bytes in base64 do; it only has to be the same each time one folder is started.
CLUSTER_ID = "pipeline-local-kafka-A"
HEAP = "-Xmx512m"
# In its first minutes a broker spends more on the optimizing compiler than on all that it is asked;
# what the quick one makes carries more than one machine's workers can ask.
QUICK = "-XX:TieredStopAtLevel=1"

# What one node needs to be ready in seconds and to have its internal topics without replicas.
COMMON = {
    "auto.create.topics.enable": "false",
    # A killed broker may come back when its session has run out; the default is 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "5",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "5",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


class Broker(Part):
    """A Kafka broker, whoever's; `kind` and `transactions` tell them apart."""

    name = "Kafka"
    kind: str
    transactions = True
    _ports: list[int] | None = None

    @property
    def port(self) -> int:
        """The loopback port for clients."""
        return self.ports[0]

    @property
    def ports(self) -> list[int]:
        """The port for clients and the one of the controller."""
        if self._ports is None:
            self._ports = kept_ports(self.home / "ports", 2)
        return self._ports

    @property
    def address(self) -> str:
        """The bootstrap servers."""
        return f"127.0.0.1:{self.port}"

    async def answers(self) -> bool:
        """Tells whether the broker answers a metadata request and lists itself."""
        if not is_open(self.port):
            return False
        client = AIOKafkaClient(bootstrap_servers=self.address, request_timeout_ms=5_000)
        try:
            await client.bootstrap()
            return len(client.cluster.brokers()) == 1
        except KafkaError:
            return False
        finally:
            await client.close()


class Kafka(Broker):
    """The broker as a Java process."""

    kind = "java"
    jvm: tuple[str, ...] = (HEAP, QUICK)

    async def command(self) -> list[str]:
        """Formats a new folder and returns the command line of the server."""
        logs = self.home / "data"
        properties = self.home / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings()))
        java = [
            java_binary(),
            "-cp",
            f"{await jars(self.say)}/*",
            f"-Dlog4j2.configurationFile={deploy_folder() / 'log4j2.properties'}",
            "-XX:-UsePerfData",
        ]
        if not (logs / "meta.properties").exists():
            format_ = [*java, QUICK, "kafka.tools.StorageTool", "format"]
            status, output = await run([*format_, "-t", CLUSTER_ID, "-c", str(properties)])
            if "UnsupportedClassVersionError" in output:
                raise MissingError(f"{java[0]} is too old: Kafka needs Java 17 or newer")
            if status != 0:
                self.log.write_text(output)
                raise LocalError(f"cannot format {logs} for Kafka: {last_words(self.log)}")
        return [*java, *self.jvm, "kafka.Kafka", str(properties)]

    def _settings(self) -> list[tuple[str, str]]:
        port, controller = self.ports
        own = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "log.dirs": str(self.home / "data"),
        }
        return [*own.items(), *COMMON.items()]
