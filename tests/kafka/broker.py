"""A real Apache Kafka, alone and without Docker: for the tests, and for ``make kafka``.

``python -m tests.kafka.broker [--port 9092] [--data DIR]`` runs it until Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kafka.listeners import Doors

ROOT = Path(__file__).parents[2]
POM = ROOT / "deploy" / "kafka" / "pom.xml"
CACHE = ROOT / ".cache" / "kafka"
START_SECONDS = 120.0
USER, PASSWORD = "tester", "not-a-secret"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://{host}:{port},SASL_PLAINTEXT://127.0.0.1:{sasl_port},\
CONTROLLER://127.0.0.1:{controller_port}{more}
advertised.listeners=PLAINTEXT://{host}:{port},SASL_PLAINTEXT://127.0.0.1:{sasl_port}{more_advertised}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,\
SASL_PLAINTEXT:SASL_PLAINTEXT{more_protocols}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
log.dir={data}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.initial.task.delay.ms=500
log.retention.check.interval.ms=500
file.delete.delay.ms=100
auto.create.topics.enable=false
"""


class KafkaMissingError(Exception):
    """Java or Maven is not installed, or the jars could not be had."""


def jars() -> Path:
    """Return the folder with the pinned Kafka's jars; Maven fills it once.

    Raises
    ------
    KafkaMissingError
        With what to install.
    """
    if shutil.which("java") is None:
        raise KafkaMissingError("java is missing: install a Java runtime, version 17 or later")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _jars()


def _jars() -> Path:
    folder, stamp = CACHE / "libs", CACHE / "pom.sha256"
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    if shutil.which("mvn") is None:
        raise KafkaMissingError("mvn is missing: install Maven, it brings Apache Kafka's jars")
    shutil.rmtree(folder, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    done = subprocess.run(
        [*command, "-DincludeScope=runtime", f"-DoutputDirectory={folder}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise KafkaMissingError(f"mvn could not get Apache Kafka's jars:\n{done.stdout}")
    stamp.write_text(wanted)
    return folder


class LocalKafka:
    """One broker on 127.0.0.1, in KRaft mode, that can be stopped, killed and started again.

    Parameters
    ----------
    data
        Its folder; records in it survive. Default: a temporary one, removed by ``remove``.
    port
        Where clients reach it. Default: a free one.
    has_doors
        Whether it listens with TLS, SASL over TLS and behind a proxy as well.
    is_brief
        Whether it is for a few minutes and thousands of records: it starts in half the CPU time,
        and is slower than others once those have warmed up.
    host
        The address of this machine that clients reach it at.

    Attributes
    ----------
    doors
        Those listeners.
    """

    doors: Doors

    def __init__(
        self,
        data: Path | None = None,
        port: int | None = None,
        has_doors: bool = False,
        is_brief: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self._libs = jars()
        self._is_temporary = data is None
        self.data = data or Path(tempfile.mkdtemp(prefix="riverrun-kafka-"))
        self.port = port or free_port()
        self.sasl_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._properties = self.data / "server.properties"
        self._has_doors = has_doors
        self._is_brief = is_brief
        self._host = host
        if has_doors:
            from tests.kafka.listeners import Doors

            ports = {name: free_port() for name in (*Doors.KINDS, "proxy")}
            self.doors = Doors(self.data / "doors", ports)

    @property
    def url(self) -> str:
        """What ``open_log`` takes."""
        return f"kafka://{self._host}:{self.port}"

    @property
    def sasl_url(self) -> str:
        """The same broker, for USER with PASSWORD."""
        options = "security_protocol=SASL_PLAINTEXT&sasl_mechanism=PLAIN"
        return f"kafka://127.0.0.1:{self.sasl_port}?{options}"

    @property
    def log_file(self) -> Path:
        """Where the broker writes what it does."""
        return self.data / "kafka.out"

    def start(self) -> None:
        """Start the broker and wait until it answers.

        Raises
        ------
        RuntimeError
            When it ends, or does not answer in two minutes; with the end of its log.
        """
        if is_listening(self.port, self._host):
            raise RuntimeError(
                f"port {self.port} is in use: stop what listens there, or use --port"
            )
        self.data.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(
            host=self._host,
            port=self.port,
            sasl_port=self.sasl_port,
            controller_port=free_port(),
            data=self.data.resolve(),
            user=USER,
            password=PASSWORD,
            more=self.doors.listeners() if self._has_doors else "",
            more_advertised=self.doors.listeners(advertised=True) if self._has_doors else "",
            more_protocols=self.doors.protocols() if self._has_doors else "",
        )
        if self._has_doors:
            text += self.doors.properties(USER, PASSWORD)
        self._properties.write_text(text)
        if not (self.data / "log" / "meta.properties").exists():
            cluster = str(uuid.uuid4())
            arguments = ["format", "--standalone", "-t", cluster, "-c", str(self._properties)]
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                arguments += ["-S", f"{mechanism}=[name={USER},password={PASSWORD}]"]
            with self.log_file.open("ab") as out:
                command = self._java("kafka.tools.StorageTool", arguments)
                subprocess.run(command, stdout=out, stderr=out, check=True)
        with self.log_file.open("ab") as out:
            # A session of its own: Ctrl-C in the terminal is for us, and we stop it in order.
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", [str(self._properties)]),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the broker in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the broker as a loss of power would, and leave its data."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Let the broker hang: it holds its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended broker go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop the broker and remove its folder, if that was a temporary one."""
        self.stop()
        if self._is_temporary:
            shutil.rmtree(self.data, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def _java(self, main: str, arguments: list[str]) -> list[str]:
        options = ["-Xms256m", "-Xmx1G"]
        if self._is_brief:
            options += ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        if self._has_doors:
            options += self.doors.java_options
        return ["java", *options, "-cp", f"{self._libs}/*", main, *arguments]

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.is_running():
            if is_listening(self.port, self._host) and _answers(self.url):
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"Apache Kafka did not start:\n{self.log_file.read_text()[-3000:]}")

    def _end(self, signal_number: int) -> None:
        if self._process is None:
            return
        self._signal(signal_number)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _signal(self, signal_number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal_number)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens on a port of an address of this machine."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex((host, port)) == 0


def _answers(url: str) -> bool:
    from stream.errors import LogError
    from stream.logs.kafka_log import KafkaLog

    try:
        KafkaLog(url).close()
    except LogError:
        return False
    return True


def main() -> int:
    """Run a broker until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.kafka.broker", description=__doc__)
    parser.add_argument("--port", type=int, default=9092, help="default: %(default)s")
    parser.add_argument("--data", type=Path, help="folder of its records; default: a temporary one")
    arguments = parser.parse_args()

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    try:
        broker = LocalKafka(arguments.data, arguments.port)
    except KafkaMissingError as error:
        print(error, file=sys.stderr)
        return 3
    try:
        broker.start()
        print(f"Apache Kafka runs at {broker.url} (Ctrl-C stops it)", flush=True)
        while broker.is_running():
            time.sleep(0.2)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 0
    finally:
        broker.remove()
    print(f"Apache Kafka ended by itself; see {broker.log_file}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
