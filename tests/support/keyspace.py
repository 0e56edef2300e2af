"""What lies in Redis under a show, key by key: to compare two moments or two shows, and to find contradictions."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import redis

Client = redis.Redis | redis.RedisCluster
Dump = dict[str, Any]
"""Every key of a show by what follows its hash tag: type, content, and whether it expires."""

FIXED: Final = ("meta", "seats", "due", "changes", "outbox", "plan", "passes", "grants", "queue")
"""The keys that a warmed show always has."""
_DEADLINE: Final = re.compile(rb":\d+(?=$| \d+$)")
_CHANNEL: Final = re.compile(rb"@\d+")
_MANY: Final = 100_000  # more than any show of these tests has of anything


def base(show: str) -> str:
    """What every key of a show starts with."""
    return f"seatlock:{{{show}}}:"


def lock_of(show: str, seat: str) -> str:
    """The lock key of a seat."""
    return f"{base(show)}lock:{seat}"


def dump(client: Client, show: str) -> Dump:
    """Everything that Redis has of a show, as it is; equal dumps mean that nothing changed in between."""
    start = base(show)
    found: Dump = {}
    for key in client.scan_iter(match=f"{start}*".replace("[", "\\["), count=1000):
        kind = client.type(key).decode()
        content = _content(client, kind, key)
        left = client.pttl(key)
        if left != -2:  # a lock may run out at any moment
            found[key.decode().removeprefix(start)] = (kind, content, left != -1)
    return found


def _content(client: Client, kind: str, key: bytes) -> Any:
    if kind == "string":
        return client.get(key)
    if kind == "hash":
        return client.hgetall(key)
    if kind == "zset":
        return dict(client.zrange(key, 0, -1, withscores=True))
    if kind == "stream":
        last = client.xinfo_stream(key)["last-generated-id"]
        return last, len(client.xinfo_groups(key)), client.xrange(key, count=_MANY)
    return client.lrange(key, 0, -1) if kind == "list" else client.smembers(key)


def changed(before: Dump, after: Dump) -> set[str]:
    """The kinds of keys that differ: ``lock``, ``seats``, ``meta`` and so on."""
    names = before.keys() | after.keys()
    return {name.partition(":")[0] for name in names if before.get(name) != after.get(name)}


def unmarked(found: Dump) -> Dump:
    """Without the marks of resumed holds, the one thing that an answer which changes nothing may write."""
    return {
        name: (kind, content.removesuffix(b"r") if name.startswith("lock:") and kind == "string" else content, expires)
        for name, (kind, content, expires) in found.items()
    }


def picture(client: Client, show: str, *, version: bool = True) -> Dump:
    """As `dump`, with every time left out, so that two shows that went the same way look the same.

    ``version=False`` also leaves out how many steps it took: the change stream and the version.
    """
    found = dump(client, show)
    seen: Dump = {}
    for name, (kind, content, expires) in found.items():
        if name.startswith("lock:") and kind == "string":
            seen[name] = (_timeless_lock(content), expires)
        elif name == "seats" or name.startswith("holder:"):
            seen[name] = {seat: _DEADLINE.sub(b":*", field) for seat, field in content.items()}
        elif name == "due" or name.startswith("pool-due:"):
            seen[name] = set(content)
        elif name == "pools":
            seen[name] = {field: _timeless_claim(field, value) for field, value in content.items() if value}
        elif name == "changes":
            if version:
                seen[name] = [(entry, _timeless_fields(fields)) for entry, fields in content[2]]
        elif name in ("outbox", "audit", "aside"):
            seen[name] = [
                {key: value for key, value in fields.items() if key not in (b"at", b"id")} for _, fields in content[2]
            ]
        elif name == "meta" and not version:
            seen[name] = {key: value for key, value in content.items() if key != b"version"}
        else:
            seen[name] = content
    return seen


def _timeless_lock(value: bytes) -> list[bytes]:
    parts = value.split(b"\n")
    times = (5, 6) if parts[0] == b"h" else (5,)
    return [(b"*p" if part.endswith(b"p") else b"*") if place in times else part for place, part in enumerate(parts)]


def _timeless_claim(field: bytes, value: bytes) -> list[bytes]:
    parts = value.split(b"\n")
    times = {b"h": (4, 5), b"s": (3,)}.get(field.partition(b"\n")[0], ())
    return [b"*" if place in times else part for place, part in enumerate(parts)]


def _timeless_fields(fields: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {seat: _DEADLINE.sub(b":*", field) for seat, field in fields.items()}


def contradictions(client: Client, show: str) -> list[str]:
    """What is wrong with a show: locks and mirrors that disagree, locks that never expire, fixed keys that are gone."""
    found = dump(client, show)
    now = _now(client, show)
    wrong = [f"{name} is missing" for name in FIXED if name not in found and (name != "seats" or "pools" not in found)]
    wrong += [f"{name} expires" for name in FIXED if name in found and found[name][2]]
    if wrong:
        return wrong
    mirrors: dict[bytes, bytes] = found["seats"][1] if "seats" in found else {}  # a show can have pools alone
    due: dict[bytes, float] = found["due"][1]
    if due.get(b"") != math.inf:
        wrong.append("due has lost its sentinel")
    for seat, mirror in mirrors.items():
        lock = found.get(f"lock:{seat.decode()}")
        complaint = _disagreement(mirror, lock, due.get(seat), now)
        if complaint:
            wrong.append(f"{seat.decode()}: {complaint} (mirror {mirror!r}, lock {lock}, due {due.get(seat)})")
    names: bytes = found["meta"][1].get(b"channels", b"")
    channels = len(names.split(b"\n")) if names else 0
    wrong += [f"{seat!r} is astray: {mirror!r}" for seat, mirror in mirrors.items() if _is_astray(mirror, channels)]
    wrong += pool_contradictions(found)
    reasons: dict[bytes, bytes] = found["blocks"][1] if "blocks" in found else {}
    wrong += [f"{seat!r} has a reason and no block" for seat in reasons if mirrors.get(seat, b"")[:1] != b"b"]
    locked = {name.removeprefix("lock:").encode() for name in found if name.startswith("lock:")}
    if b"limits" in found["meta"][1]:
        wrong += _wrong_lists(found, now)
    return wrong + [f"{seat!r} has a lock and is no seat" for seat in locked - mirrors.keys()]


def _is_astray(mirror: bytes, channels: int) -> bool:
    """Whether a field is of a channel that is not there, or free for everybody in a channel, or the other way round."""
    number = mirror.partition(b":")[0].partition(b"@")[2]
    return mirror[:1] == (b"f" if number else b"c") or int(number or 0) > channels


def pool_contradictions(found: Dump) -> list[str]:
    """What is wrong with pools: counts that are not those of the claims and sales, claims that are not due."""
    fields = {
        tuple(field.split(b"\n")): value for field, value in found.get("pools", ("", {}, False))[1].items() if value
    }
    wrong: list[str] = []
    for (kind, pool), counts in [(field, value) for field, value in fields.items() if len(field) == 2]:
        assert kind == b"c"
        capacity, held, sold = map(int, counts.split(b" "))
        claims = {
            b"\n".join(field[2:]): value.split(b"\n") for field, value in fields.items() if field[:2] == (b"h", pool)
        }  # of a holder, or apart from it
        sales = {field[2]: value.split(b"\n") for field, value in fields.items() if field[:2] == (b"s", pool)}
        owners = {field[2:]: value for field, value in fields.items() if field[:2] == (b"t", pool)}
        due = found.get(f"pool-due:{pool.decode()}", ("", {}, False))[1]
        if held != sum(int(claim[1]) for claim in claims.values()) or sold != sum(
            int(sale[2]) for sale in sales.values()
        ):
            wrong.append(f"{pool!r} counts {counts!r}, it has {claims} and {sales}")
        if held + sold > capacity:
            wrong.append(f"{pool!r} is sold beyond its capacity: {counts!r}")
        if owners != {(sale[0], sale[1]): key for key, sale in sales.items() if sale[0]}:  # else no token opens it
            wrong.append(f"{pool!r} has the sales {sales}, and not by owner: {owners}")
        wrong += [
            f"{pool!r}: the claim of {holder!r} is not due ({due})"
            for holder, claim in claims.items()
            if not due.get(holder, math.inf) <= int(claim[4])
        ]
        if due.get(b"") != math.inf:
            wrong.append(f"what is due of {pool!r} has lost its sentinel")
    return wrong


def _wrong_lists(found: Dump, now: int) -> list[str]:
    """What the lists of holders say too much or too little, on a show with limits."""
    for name, (_, content, expires) in found.items():
        if name.startswith("holder:"):
            live = [field for field in content.values() if not _past(field, now)]
            if expires == any(field[:1] in (b"s", b"p") for field in live):
                return [f"the list {name} {'expires' if expires else 'stays for ever'}: {content}"]
    said, true = _said(found, now), _true(found, now)
    return [f"{each} is on no list" for each in true - said] + [f"{each} is on a list" for each in said - true]


def too_little(client: Client, show: str) -> dict[bytes, tuple[int, int]]:
    """Holders who have more than their lists say, on a show with limits: by holder, what each list says, and is so."""
    found = dump(client, show)
    now = _now(client, show)
    counts: dict[bytes, list[int]] = {}
    locks = [content.split(b"\n") for name, (_, content, _) in found.items() if name.startswith("lock:")]
    for lock in locks:  # whatever the mirrors say
        if lock[2] and (lock[0] in (b"s", b"p") or now <= int(lock[5])):
            counts.setdefault(lock[2], [0, 0])[1] += 1
    pools = {each for each in _of_pools(found) if not _past(each[2], now)}
    for place, entries in enumerate((_said(found, now), pools)):
        for holder, name, field in entries:
            counts.setdefault(holder, [0, 0])[place] += int(field.rpartition(b" ")[2]) if b"\n" in name else 1
    return {holder: (said, true) for holder, (said, true) in counts.items() if said < true}


Entries = set[tuple[bytes, bytes, bytes]]
"""What holders have: the holder, what it is, and its field: until when, and how many of a pool."""


def _said(found: Dump, now: int) -> Entries:
    """What the lists say that still counts."""
    return {
        (name.removeprefix("holder:").encode(), entry, field)
        for name, (_, content, _) in found.items()
        if name.startswith("holder:")
        for entry, field in content.items()
        if not _past(field, now)
    }


def _true(found: Dump, now: int) -> Entries:
    """What they should say."""
    mirrors: dict[bytes, bytes] = found["seats"][1] if "seats" in found else {}
    true = {
        (parts[2], seat, _CHANNEL.sub(b"", field))  # lists know nothing of channels
        for seat, field in mirrors.items()
        if (lock := found.get(f"lock:{seat.decode()}")) and (parts := lock[1].split(b"\n"))[2]
        if not _past(field, now)
    }
    return true | {each for each in _of_pools(found) if not _past(each[2], now)}


def _of_pools(found: Dump) -> Entries:
    """What the lists should say of pools."""
    entries: Entries = set()
    for field, value in found.get("pools", ("", {}, False))[1].items():
        (kind, *names), parts = field.split(b"\n"), value.split(b"\n")
        if kind == b"h" and value:
            entries.add((names[1], b"h\n" + names[0], b"h:%b %b" % (parts[4], parts[1])))
        elif kind == b"s" and value:
            entries.add((parts[1], field, b"s %b" % parts[2]))
    return entries


def _past(field: bytes, now: int) -> bool:
    return field.startswith(b"h") and now > int(field.partition(b":")[2].partition(b" ")[0])


def _now(client: Client, show: str) -> int:
    if isinstance(client, redis.RedisCluster):
        node = client.get_node_from_key(base(show))
        seconds, micros = client.time(target_nodes=node)
    else:
        seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def _disagreement(mirror: bytes, lock: tuple[str, bytes, bool] | None, score: float | None, now: int) -> str | None:
    state = mirror[:1]
    if lock is None:
        past = state == b"h" and now > int(mirror.partition(b":")[2])
        return None if state in (b"f", b"c", b"b") or past else "there is no lock"
    parts = lock[1].split(b"\n")
    if parts[0] == b"h":
        deadline = int(parts[5])
        if not lock[2]:
            return "the lock never expires"
        if state != b"h" or int(mirror.partition(b":")[2]) != deadline:
            return "the mirror does not say held until then"
        return None if score is not None and score <= deadline else "it is not due"
    if parts[0] not in (b"s", b"p") or lock[2]:
        return "the lock of a seat that is sold or pinned expires, or is no lock"
    return None if state == parts[0] else "the mirror does not say sold, or pinned"
