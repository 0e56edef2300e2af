"""A primary, a replica and the sentinels that watch over them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import redis

from tests.support.servers import RedisServer
from tests.support.waiting import until

MASTER_NAME: Final = "mymaster"

# Looking around every 200 ms instead of every ten seconds; otherwise a failover is only over after twenty.
_HASTE: Final = ("INFO-PERIOD", "200", "PUBLISH-PERIOD", "200", "PING-PERIOD", "200", "ASK-PERIOD", "200")


class Sentinel:
    """Two data nodes, ``nodes``, and one or more ``sentinels``, of which a majority must agree on a failover.

    ``down_after`` is in seconds: after so long a silence the primary counts as down.
    """

    def __init__(self, executable: Path, *, sentinels: int = 1, down_after: float = 1.0) -> None:
        config = {"repl-diskless-sync-delay": "0"}
        self.nodes = [RedisServer(executable, config=config) for _ in range(2)]
        self._executable = executable
        self._count = sentinels
        self._down_after = round(down_after * 1000)
        self.sentinels: list[RedisServer] = []

    def start(self, timeout: float = 30.0) -> Self:
        """Start everything and wait until the replica is linked and every sentinel knows all others."""
        primary, replica = (node.start() for node in self.nodes)
        with replica.unix_client() as client:
            client.replicaof("127.0.0.1", primary.port)
        watch = {
            f"sentinel monitor {MASTER_NAME}": f"127.0.0.1 {primary.port} {self._count // 2 + 1}",
            f"sentinel down-after-milliseconds {MASTER_NAME}": str(self._down_after),
            f"sentinel failover-timeout {MASTER_NAME}": str(3 * self._down_after),
        }
        for _ in range(self._count):
            sentinel = RedisServer(self._executable, config=watch, arguments=["--sentinel"])
            self.sentinels.append(sentinel)
            sentinel.start()
            with sentinel.client() as client, suppress(redis.ResponseError):  # Redis 6.2 cannot; it takes some 20 s
                client.execute_command("SENTINEL", "DEBUG", *_HASTE)
        self.wait_healthy(timeout)
        return self

    def close(self) -> None:
        """End everything and remove the directories."""
        for server in (*self.sentinels, *self.nodes):
            server.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address for seatlock, by all sentinels."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{MASTER_NAME}/0"

    @property
    def hosts(self) -> list[tuple[str, int]]:
        """The sentinels' addresses, as `redis.sentinel.Sentinel` takes them."""
        return [("127.0.0.1", sentinel.port) for sentinel in self.sentinels]

    @property
    def primary(self) -> RedisServer:
        """The node that the first sentinel says is the primary."""
        with self.sentinels[0].client() as client:
            _, port = client.sentinel_get_master_addr_by_name(MASTER_NAME)
        return next(node for node in self.nodes if node.port == int(port))

    @property
    def replica(self) -> RedisServer:
        """The other node."""
        primary = self.primary
        return next(node for node in self.nodes if node is not primary)

    def client(self, **options: Any) -> redis.Redis:
        """Make a client of whatever node is the primary; ``options`` are those of `redis.Redis`."""
        return redis.Sentinel(self.hosts, socket_timeout=2.0).master_for(MASTER_NAME, **options)

    def fail_over(self, timeout: float = 30.0) -> RedisServer:
        """Let the sentinels swap the roles, both nodes alive, and return the new primary once the other follows it."""
        old = self.primary
        with self.sentinels[0].client() as client:
            client.execute_command("SENTINEL", "FAILOVER", MASTER_NAME)
        self.wait_primary_other_than(old, timeout)
        self.wait_healthy(timeout)
        return self.primary

    def kill_primary(self, timeout: float = 30.0) -> RedisServer:
        """End the primary with SIGKILL, wait until the sentinels have promoted the replica, and return that."""
        old = self.primary
        old.kill()
        self.wait_primary_other_than(old, timeout)
        return self.primary

    def wait_primary_other_than(self, old: RedisServer, timeout: float = 30.0) -> None:
        """Wait until the sentinels name another primary than ``old`` and it takes writes."""

        def changed() -> bool:
            now = self.primary
            if now is old or not now.running or now.info("replication")["role"] != "master":
                return False
            return all(self._sees_primary(sentinel) for sentinel in self.sentinels)

        until(changed, "the sentinels have a new primary", timeout=timeout)

    def heal(self, timeout: float = 30.0) -> None:
        """Start again what is down and wait until there is one primary with one replica that is linked."""
        for server in (*self.nodes, *self.sentinels):
            if not server.running:
                server.start()
        self.wait_healthy(timeout)

    def flush(self) -> None:
        """Remove all keys and all cached scripts."""
        self.primary.flush()

    def wait_healthy(self, timeout: float = 30.0) -> None:
        """Wait until the replica follows the primary, and all sentinels see that and each other."""
        until(self._healthy, "the replica is linked and the sentinels agree", timeout=timeout, every=0.05)

    def _healthy(self) -> bool:
        primary, replica = self.primary.info("replication"), self.replica.info("replication")
        if primary["role"] != "master" or replica["role"] != "slave" or replica["master_link_status"] != "up":
            return False
        if replica["master_port"] != self.primary.port:
            return False
        return all(self._sees_primary(sentinel) and self._sees_replica(sentinel) for sentinel in self.sentinels)

    def _sees_primary(self, sentinel: RedisServer) -> bool:
        with sentinel.client(decode_responses=True, protocol=3) as client:
            state = client.execute_command("SENTINEL", "MASTER", MASTER_NAME)
        # the address changes before the failover ends, this with its end
        return (
            int(state["port"]) == self.primary.port
            and state["flags"] == "master"
            and int(state["num-other-sentinels"]) == self._count - 1
        )

    def _sees_replica(self, sentinel: RedisServer) -> bool:
        with sentinel.client(decode_responses=True, protocol=3) as client:
            replicas = client.execute_command("SENTINEL", "REPLICAS", MASTER_NAME)
        seen = [(int(replica["port"]), replica["flags"], replica["master-link-status"]) for replica in replicas]
        return seen == [(self.replica.port, "slave", "ok")]
