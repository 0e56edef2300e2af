"""A Redis Cluster of six nodes on loopback ports: three primaries, a replica for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Self

import redis
import redis.asyncio
from redis.crc import key_slot

from tests.support.servers import RedisServer
from tests.support.waiting import until

SLOTS: Final = 16_384
PRIMARIES: Final = 3


class Cluster:
    """Six nodes; ``nodes[0:3]`` start as primaries, ``nodes[3:6]`` as the replicas of the same.

    ``node_timeout`` is in seconds: after so long a node counts as failed. It is generous, for a busy machine must not
    cause failovers; a test of failover takes a cluster of its own with less.
    """

    def __init__(self, executable: Path, *, node_timeout: float = 5.0) -> None:
        config = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": str(round(node_timeout * 1000)),
            "repl-diskless-sync-delay": "0",  # replicas are linked at once instead of after five seconds
        }
        self.nodes = [RedisServer(executable, config=config) for _ in range(2 * PRIMARIES)]

    def start(self, timeout: float = 30.0) -> Self:
        """Start the nodes, join them, and wait until all say that the cluster is ok and every replica is linked."""
        for node in self.nodes:
            node.start()
        primaries, replicas = self.nodes[:PRIMARIES], self.nodes[PRIMARIES:]
        for index, node in enumerate(primaries):
            first, last = index * SLOTS // PRIMARIES, (index + 1) * SLOTS // PRIMARIES
            _ask(node, "CLUSTER", "ADDSLOTS", *range(first, last))
            # epochs of their own from the start: the nodes need not sort out a collision first
            _ask(node, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for node in self.nodes[1:]:
            _ask(node, "CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        until(self._all_met, "all cluster nodes know each other", timeout=timeout)
        for primary, replica in zip(primaries, replicas, strict=True):
            _ask(replica, "CLUSTER", "REPLICATE", node_id(primary))
        self.wait_healthy(timeout)
        return self

    def close(self) -> None:
        """End all nodes and remove their directories."""
        for node in self.nodes:
            node.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_healthy(self, timeout: float = 30.0) -> None:
        """Wait until every living node says that the cluster is ok, and every living replica is linked."""
        until(self._all_ok, "the cluster is ok and its replicas are linked", timeout=timeout, every=0.05)

    def _all_met(self) -> bool:
        return all(_state(node)["cluster_known_nodes"] == str(len(self.nodes)) for node in self.nodes)

    def _all_ok(self) -> bool:
        living = [node for node in self.nodes if node.running]
        for node in living:
            replication = node.info("replication")
            if _state(node)["cluster_state"] != "ok":
                return False
            if replication["role"] == "slave" and replication["master_link_status"] != "up":
                return False
        # a replica that has not heard yet that it is one would count as a primary
        return len(self._with_role("master")) == PRIMARIES

    def _with_role(self, role: str) -> list[RedisServer]:
        return [node for node in self.nodes if node.running and node.info("replication")["role"] == role]

    @property
    def primaries(self) -> list[RedisServer]:
        """The living nodes that are primaries now."""
        return self._with_role("master")

    @property
    def replicas(self) -> list[RedisServer]:
        """The living nodes that are replicas now."""
        return self._with_role("slave")

    @property
    def url(self) -> str:
        """The address for seatlock, by the first node."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def client(self, **options: Any) -> redis.RedisCluster:
        """Make a cluster client; ``options`` are those of `redis.RedisCluster`."""
        return redis.RedisCluster(host="127.0.0.1", port=self.nodes[0].port, **options)

    def async_client(self, **options: Any) -> redis.asyncio.RedisCluster:
        """Make an asyncio cluster client."""
        return redis.asyncio.RedisCluster(host="127.0.0.1", port=self.nodes[0].port, **options)

    def flush(self) -> None:
        """Remove all keys and all cached scripts."""
        for node in self.primaries:
            node.flush()

    def primary_of(self, key: str) -> RedisServer:
        """Return the primary whose slots include that of ``key``."""
        slot = key_slot(key.encode())
        for first, last, (_, port, *_), *_ in _ask(self.nodes[0], "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"no node serves slot {slot}")

    def begin_move(self, key: str) -> SlotMove:
        """Begin to move the slot of ``key`` to another primary; see `SlotMove`."""
        source = self.primary_of(key)
        target = next(node for node in self.primaries if node is not source)
        return SlotMove(self, key_slot(key.encode()), source, target)


class SlotMove:
    """A slot on its way from ``source`` to ``target``.

    Between `move_keys` calls some of its keys are here and some there, which is when a script that needs both gets
    TRYAGAIN.
    """

    def __init__(self, cluster: Cluster, slot: int, source: RedisServer, target: RedisServer) -> None:
        self.slot, self.source, self.target = slot, source, target
        self._cluster = cluster
        _ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", node_id(source))
        _ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", node_id(target))

    def keys(self) -> list[str]:
        """Return the keys of the slot that are still at the source (at most 10,000)."""
        return [key.decode() for key in _ask(self.source, "CLUSTER", "GETKEYSINSLOT", self.slot, 10_000)]

    def move_keys(self, *keys: str) -> None:
        """Move these keys to the target."""
        if keys:
            _ask(self.source, "MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)

    def finish(self) -> None:
        """Move what is left and give the slot to the target, for all nodes."""
        self.move_keys(*self.keys())
        owner = node_id(self.target)
        for node in (self.target, self.source, *(n for n in self._cluster.primaries if n is not self.source)):
            _ask(node, "CLUSTER", "SETSLOT", self.slot, "NODE", owner)

    def cancel(self) -> None:
        """Leave the slot where it was; keys that were moved must have been moved back or deleted before."""
        for node in (self.source, self.target):
            _ask(node, "CLUSTER", "SETSLOT", self.slot, "STABLE")


def node_id(node: RedisServer) -> str:
    """Return the id by which the cluster knows a node."""
    return str(_ask(node, "CLUSTER", "MYID").decode())


def _ask(node: RedisServer, *command: str | int) -> Any:
    # with the words of the command apart, redis-py leaves the answer as it came
    with node.unix_client() as client:
        return client.execute_command(*command)


def _state(node: RedisServer) -> dict[str, str]:
    lines = _ask(node, "CLUSTER", "INFO").decode().split()
    return dict(line.split(":", 1) for line in lines)
