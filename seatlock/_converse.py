"""Conversations on one connection of a client, blocking and awaited; what is said stands in `seatlock._levels`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import redis.exceptions as foreign

from seatlock._levels import Conversation, Heard, Line
from seatlock._seam import FOREIGN
from seatlock.errors import InvalidRequest

_LOOKED_FOR: Final = "status"  # a field to be read of a key, to have a cluster's client look where that key is

_ASKING: Final = Line(["ASKING"])  # lets the next line speak of keys in a slot that is on its way


def _refuse(client: object) -> InvalidRequest:
    kind = f"{type(client).__module__}.{type(client).__qualname__}"
    return InvalidRequest(f"wait needs a client with connections, a Redis or RedisCluster of redis-py, not {kind}.")


def _check_same(line: Line, connection: Any) -> None:
    """Never let a client connect anew in mid-conversation: the server would answer for a connection without writes."""
    connected = getattr(connection, "is_connected", getattr(connection, "_sock", None))  # redis-py 6 has the latter
    if line.same and not connected:
        raise foreign.ConnectionError("the connection was closed before it could be asked to wait")


def _check_in_time(*, arrived: bool) -> None:
    if not arrived:
        raise foreign.TimeoutError("Timeout reading the answer of a server that waits")


def _sent_on(client: Any, error: foreign.AskError) -> Any:
    """The node of a cluster that has these keys already, of a slot on its way; None where the slot has moved."""
    there: Any = error  # whose host and port have no types
    return None if isinstance(error, foreign.MovedError) else client.get_node(there.host, there.port)


# Blocking


def converse(client: Any, key: bytes, begin: Callable[[], Conversation]) -> Heard:
    """Carry on a conversation with the node that has a key."""
    if not hasattr(client, "get_node_from_key"):
        if not hasattr(client, "connection_pool"):
            raise _refuse(client)
        return _carried_on(client.connection_pool, begin())
    try:
        return _with_node(client, key, begin)
    except FOREIGN:
        with suppress(*FOREIGN):
            client.execute_command("HGET", key, _LOOKED_FOR)
        raise


def _with_node(client: Any, key: bytes, begin: Callable[[], Conversation]) -> Heard:
    try:
        return _carried_on(client.get_redis_connection(client.get_node_from_key(key)).connection_pool, begin())
    except foreign.AskError as error:
        node = _sent_on(client, error)
        if node is None:
            raise
    return _carried_on(client.get_redis_connection(node).connection_pool, begin(), asking=True)


def _said(connection: Any, line: Line) -> Any:
    try:
        _check_same(line, connection)
        connection.send_command(*line.command, check_health=not line.same)
        _check_in_time(arrived=line.within is None or connection.can_read(line.within))
        return connection.read_response(disable_decoding=True)
    except BaseException as error:
        if not isinstance(error, foreign.ResponseError):
            connection.disconnect()
        raise


def _carried_on(pool: Any, conversation: Conversation, *, asking: bool = False) -> Heard:
    connection = pool.get_connection()
    try:
        line = next(conversation)
        while True:
            try:
                if asking:
                    _said(connection, _ASKING)
                reply = _said(connection, line)
            except FOREIGN as error:
                line = conversation.throw(error)
            else:
                line = conversation.send(reply)
    except StopIteration as stop:
        heard: Heard = stop.value
        return heard
    finally:
        pool.release(connection)


# Awaited


async def converse_async(
    client: Any, key: bytes, begin: Callable[[], Conversation], longest: float | None = None
) -> Heard:
    """Carry on a conversation with the node that has a key; ``longest`` bounds each line but a wait."""
    if not hasattr(client, "get_node_from_key"):
        if not hasattr(client, "connection_pool"):
            raise _refuse(client)
        return await _with_pool_async(client.connection_pool, begin(), longest)
    try:
        await client.initialize()
        return await _with_node_async(client, key, begin, longest)
    except FOREIGN:
        with suppress(*FOREIGN):
            await client.execute_command("HGET", key, _LOOKED_FOR)
        raise


async def _with_pool_async(pool: Any, conversation: Conversation, longest: float | None) -> Heard:
    async with asyncio.timeout(longest):
        connection = await pool.get_connection()
    try:
        return await _carried_on_async(connection, conversation, longest)
    finally:
        await pool.release(connection)


async def _with_node_async(client: Any, key: bytes, begin: Callable[[], Conversation], longest: float | None) -> Heard:
    node, asking = client.get_node_from_key(key), False
    while True:
        connection = node.acquire_connection()
        try:
            return await _carried_on_async(connection, begin(), longest, asking=asking)
        except foreign.AskError as error:
            there = None if asking else _sent_on(client, error)
            if there is None:
                raise
        finally:
            _give_back(node, connection)
        node, asking = there, True


def _give_back(node: Any, connection: Any) -> None:
    if hasattr(node, "release"):
        node.release(connection)
    else:  # redis-py before 7
        node._free.append(connection)  # noqa: SLF001 - as its own execute_command does


async def _said_async(connection: Any, line: Line, longest: float | None) -> Any:
    try:
        _check_same(line, connection)
        packed = connection.pack_command(*line.command)
        async with asyncio.timeout(longest if line.within is None else None):
            await connection.send_packed_command(packed, check_health=not line.same)
            reply = await connection.read_response(disable_decoding=True, timeout=line.within)
        _check_in_time(arrived=reply is not None)
    except BaseException as error:
        if not isinstance(error, foreign.ResponseError):
            await connection.disconnect(nowait=True)
        raise
    else:
        return reply


async def _carried_on_async(
    connection: Any, conversation: Conversation, longest: float | None, *, asking: bool = False
) -> Heard:
    try:
        line = next(conversation)
        while True:
            try:
                if asking:
                    await _said_async(connection, _ASKING, longest)
                reply = await _said_async(connection, line, longest)
            except FOREIGN as error:
                line = conversation.throw(error)
            else:
                line = conversation.send(reply)
    except StopIteration as stop:
        heard: Heard = stop.value
        return heard
