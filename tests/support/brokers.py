"""Real message brokers under the tests: Kafka and RabbitMQ, each alone in a private directory on private ports."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final, Self

from seatlock._child import ChildProcess, log_tail, private_directory, remove_directory
from tests.support.need import need
from tests.support.ports import free_port
from tests.support.servers import servers_directory
from tests.support.waiting import until

START: Final = 90.0  # seconds; two to ten where nothing else runs
STOP: Final = 20.0
JAVA: Final = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
PASSWORD: Final = "s3cret/p@ss"  # noqa: S105 - of a server on this machine only, which is gone after the test


def kafka_jars() -> Path:
    """Where Kafka's jars are; a missing part skips the test (or fails it, where everything is required)."""
    if shutil.which("java") is None:
        need("kafka", "there is no java on PATH")
    jars = servers_directory() / "kafka-4"
    return jars if jars.is_dir() else need("kafka", "run: tests/servers.sh .servers")


def rabbitmq_programs() -> Path:
    """Where RabbitMQ's programs are; a missing part skips the test (or fails it, where everything is required)."""
    programs = servers_directory() / "rabbitmq-3" / "bin"
    return programs if programs.is_dir() else need("rabbitmq", "run: tests/servers.sh .servers")


class _Broker:
    """A broker in a directory of its own. `stop`, `kill` and `start` keep port and directory; `close` removes them."""

    def __init__(self) -> None:
        self.directory = private_directory()
        self.log = self.directory / "server.log"
        self.port = free_port()
        self._child: ChildProcess | None = None

    def _argv(self) -> list[str]:
        raise NotImplementedError

    def _env(self) -> dict[str, str]:
        return {}

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._child is not None and self._child.exit_status is None

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        assert not self.running, "the broker runs already"
        child = ChildProcess(self._argv(), directory=self.directory, log=self.log, env=self._env())
        try:
            until(
                lambda: child.exit_status is not None or self._answers(), f"{self} listens", timeout=START, every=0.05
            )
        except AssertionError as error:
            child.kill()
            raise RuntimeError(f"{error}\n{log_tail(self.log)}") from None
        if child.exit_status is not None:
            raise RuntimeError(f"{self} ended with status {child.exit_status}.\n{log_tail(self.log)}")
        self._child = child
        return self

    def stop(self) -> None:
        """End it in good order."""
        if self._child is not None:
            self._child.stop(STOP)

    def kill(self) -> None:
        """End it at once."""
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """End it, and remove its directory."""
        self.kill()
        remove_directory(self.directory)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return f"{type(self).__name__} on port {self.port}"


class KafkaServer(_Broker):
    """One node of Kafka that is its own controller; a topic that is asked for is made, with three partitions."""

    def __init__(self, jars: Path) -> None:
        super().__init__()
        self._java = ["java", *JAVA, "-cp", f"{jars}/*"]
        controller, self.login_port, self.tls_port = free_port(), free_port(), free_port()
        self._settings = self.directory / "server.properties"
        ports = {"PLAINTEXT": self.port, "SASL_PLAINTEXT": self.login_port, "SASL_SSL": self.tls_port}
        own = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"{own},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": own,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in ports)]),
            "log.dirs": str(self.directory / "data"),
            **self._logins(),
            "num.partitions": "3",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "broker.session.timeout.ms": "1000",  # after a kill nobody may come back before
            "broker.heartbeat.interval.ms": "250",
        }
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        """What clients have to trust at the port for TLS."""
        return self.directory / "certificate.pem"

    def _logins(self) -> dict[str, str]:
        """The ports at which ``seatlock`` logs in: with a password as it is, and with TLS in either way."""
        module = "org.apache.kafka.common.security"
        plain = f'{module}.plain.PlainLoginModule required user_seatlock="{PASSWORD}";'
        scram = f"{module}.scram.ScramLoginModule required;"
        ways = {"plain": plain, "scram-sha-256": scram, "scram-sha-512": scram}
        store = {"location": str(self.directory / "keys.p12"), "type": "PKCS12", "password": "changeit"}
        return {
            "sasl.enabled.mechanisms": ",".join(ways).upper(),
            **{
                f"listener.name.{listener}.{way}.sasl.jaas.config": how
                for listener in ("sasl_plaintext", "sasl_ssl")
                for way, how in ways.items()
            },
            **{f"ssl.keystore.{name}": value for name, value in store.items()},
        }

    def _make_certificate(self) -> None:
        store = ["-keystore", str(self.directory / "keys.p12"), "-storepass", "changeit", "-alias", "kafka"]
        for argv in (
            [
                "-genkeypair",
                "-keyalg",
                "EC",
                "-dname",
                "CN=127.0.0.1",
                "-ext",
                "san=ip:127.0.0.1",
                "-storetype",
                "PKCS12",
            ],
            ["-exportcert", "-rfc", "-file", str(self.certificate)],
        ):
            subprocess.run(["keytool", *argv, *store], capture_output=True, timeout=START, check=True)

    def start(self) -> Self:
        """Start it; the first time its directory is laid out before."""
        if not (self.directory / "data").exists():
            self._make_certificate()
            tool = ["kafka.tools.StorageTool", "format", "--cluster-id", secrets.token_urlsafe(16)]
            users = [f"SCRAM-SHA-{bits}=[name=seatlock,password={PASSWORD}]" for bits in (256, 512)]
            argv = [*self._java, *tool, "--config", str(self._settings)]
            argv += [word for user in users for word in ("--add-scram", user)]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=START, check=False)
            if done.returncode:
                raise RuntimeError(f"Kafka's directory could not be laid out.\n{done.stdout}{done.stderr}")
        return super().start()

    def _argv(self) -> list[str]:
        return [*self._java, "kafka.Kafka", str(self._settings)]


class RabbitServer(_Broker):
    """One node of RabbitMQ with its own port mapper, a random cookie, and a user ``seatlock``."""

    def __init__(self, programs: Path) -> None:
        super().__init__()
        self._programs = programs
        self._mapper: ChildProcess | None = None
        self._mapper_port, self._node_port = free_port(), free_port()
        cookie = self.directory / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(20))
        cookie.chmod(0o400)
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndefault_user = seatlock\ndefault_pass = {PASSWORD}\n"
        )

    @property
    def address(self) -> str:
        """What clients connect to, with user and password."""
        return f"amqp://seatlock:{PASSWORD.replace('/', '%2F').replace('@', '%40')}@127.0.0.1:{self.port}/"

    def start(self) -> Self:
        """Start it, after the port mapper, which it would otherwise start itself and leave behind."""
        if self._mapper is None:
            argv = [str(self._programs / "epmd"), "-port", str(self._mapper_port), "-address", "127.0.0.1"]
            self._mapper = ChildProcess(argv, directory=self.directory, log=self.directory / "mapper.log")
        return super().start()

    def close(self) -> None:
        """End it and its port mapper, and remove its directory."""
        self.kill()
        if self._mapper is not None:
            self._mapper.kill()
        super().close()

    def _argv(self) -> list[str]:
        return [str(self._programs / "rabbitmq-server")]

    def _env(self) -> dict[str, str]:
        own = str(self.directory)
        return {
            "HOME": own,
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RUNNING_UNDER_SYSTEMD": "1",  # its script then becomes the server, instead of starting it
            "RABBITMQ_NODENAME": f"seatlock-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONFIG_FILE": f"{own}/rabbitmq",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{own}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{own}/data",
            "RABBITMQ_LOG_BASE": own,
            "RABBITMQ_LOGS": "-",
        }
