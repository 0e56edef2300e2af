"""Mutants that survive and may: with the reason why no test can, or should, tell them from the right script."""

from __future__ import annotations

from typing import Final

Key = tuple[str, str, str]
"""File, line and change, as `tests.mutation` prints them."""

_BECAUSE: Final[dict[str, list[Key]]] = {
    "Lua takes the place 0 of a text for 1": [
        ("acquire.lua", "local state = lock and lock.state or string.sub(mirror, 1, 1)", "1 → 0"),
        ("include/sale.lua", "if lock and string.find(lock, head, 1, true) == 1 then", "1 → 0"),
        ("include/sale.lua", "if mirrors[place] and string.sub(mirrors[place], 1, 1) ~= state then", "1 → 0"),
        ("include/lock.lua", "return string.sub(owner, 1, TOKEN_LENGTH)", "1 → 0"),
        ("include/ownership.lua", "local state = mirror and string.sub(mirror, 1, 1)", "1 → 0"),
        ("include/state.lua", "local state = mirror and string.sub(mirror, 1, 1)", "1 → 0"),
        (
            "include/warming.lua",
            "if imported_before and wanted == 's' and string.sub(mirror or '', 1, 1) ~= 's' then",
            "1 → 0",
        ),
        ("inspect.lua", "local state, deadline = string.sub(mirror, 1, 1), deadline_of(mirror)", "1 → 0"),
    ],
    "only the fast way of a single seat, which gives the same as the slow one": [
        ("acquire.lua", "if count == 1 and status == 'open' and not lists then", "1 → 0"),
        ("acquire.lua", "if count == 1 and status == 'open' and not lists then", "'open' → 'opez'"),
        ("acquire.lua", "return grant_one(held_by(owner), ttl, place)", "statement → nothing"),
        (
            "include/sale.lua",
            "local seats = count == 1 and names[first + 1] or table.concat(names, '\\n', first + 1, fi",
            "1 → 0",
        ),
    ],
    "what it skips does the same again, to the same effect": [
        ("acquire.lua", "return held('held', whole_hold(own))", "statement → nothing"),
        ("include/sale.lua", "mirrors[place] = mirror", "statement → nothing"),
        ("extend.lua", "mirrors[place] = mirror", "statement → nothing"),
    ],
    "a refusal has one entry, or five and more": [
        ("acquire.lua", "elseif #refused > 1 then", "1 → 2"),
    ],
    "the list has an even number of entries: more than 1 is more than 0": [
        ("include/keep.lua", "if #fields > 0 then", "0 → 1"),
        ("include/keep.lua", "if #later > 0 then", "0 → 1"),
        ("cancel.lua", "if #fields > 0 then", "0 → 1"),
        ("finalise.lua", "if #values > 0 then", "0 → 1"),
        ("check.lua", "if #conflicts > 0 then", "0 → 1"),
        ("include/sale.lua", "if #fields > 0 then", "0 → 1"),
        ("include/sale.lua", "if #values > 0 then", "0 → 1"),
        ("extend.lua", "if #lost > 0 then", "0 → 1"),
        ("extend.lua", "if #fields > 0 then", "0 → 1"),
        ("release.lua", "if #fields > 0 then", "0 → 1"),
        ("sweep.lua", "if #fields > 0 then", "0 → 1"),
        ("sweep.lua", "if #later > 0 then", "0 → 1"),
        ("warm.lua", "if #conflicts > 0 then", "0 → 1"),
        ("warm.lua", "if #changes > 0 then", "0 → 1"),
        ("warm.lua", "if #imported > 0 then", "0 → 1"),
    ],
    "the first write asks for the same type of the same key, and changes nothing by itself": [
        ("cancel.lua", "redis.call('ZCARD', due_key)", "statement → nothing"),
        ("finalise.lua", "redis.call('ZCARD', due_key)", "statement → nothing"),
        ("release.lua", "redis.call('ZCARD', due_key)", "statement → nothing"),
    ],
    "no hold has fence 0, and equal fences have the same epoch": [
        ("include/sale.lua", "local fence, hold_epoch = 0, nil", "0 → 1"),
        ("include/sale.lua", "elseif seat_fence >= fence then", ">= → >"),
        (
            "include/batch.lua",
            "hold = hold or {fence = 0, deadline = math.huge, limit = math.huge, token = lock.token}",
            "0 → 1",
        ),
        ("include/batch.lua", "if lock.fence >= hold.fence then", ">= → >"),
    ],
    "a letter without a number behind it has no category, whatever the letter": [
        ("finalise.lua", "put_mirror(place, 's' .. kind_of(mirror or 's'))", "'s' → 'x' (2)"),
        ("extend.lua", "local mirror = held_field(mirrors[place] or 'h', deadline)", "'h' → 'x'"),
    ],
    "only the length of the text counts": [
        ("forget.lua", "local prefix = #retired_key - #'retired' + #'lock:' + 1", "'retired' → 'retirez'"),
        ("forget.lua", "local prefix = #retired_key - #'retired' + #'lock:' + 1", "'lock:' → 'lockz'"),
        ("include/read.lua", "local prefix = #meta_key - #'meta' + #'lock:' + 1", "'meta' → 'metz'"),
        ("include/read.lua", "local prefix = #meta_key - #'meta' + #'lock:' + 1", "'lock:' → 'lockz'"),
    ],
    "scripts write version and epoch together: a show has both or neither": [
        ("found.lua", "if not facts[1] then", "1 → 2"),
        ("found.lua", "return {'ok', facts[1] and 0 or 1, version}", "1 → 2"),
        ("include/warming.lua", "if facts[1] then", "1 → 2"),
    ],
    "trims exactly instead of about; either way only beyond the cap": [
        (
            "found.lua",
            "redis.call('XADD', changes_key, 'MAXLEN', '~', digits(cap), epoch .. '-' .. digits(versi",
            "'~' → '='",
        ),
        (
            "include/show.lua",
            "redis.call('XADD', changes_key, 'MAXLEN', '~', changes_cap, epoch .. '-' .. digits(versi",
            "'~' → '='",
        ),
        (
            "warm.lua",
            "redis.call('XADD', changes_key, 'MAXLEN', '~', changes_cap, epoch .. '-' .. digits(versi",
            "'~' → '='",
        ),
    ],
    "only spares work: the same value is found again": [
        ("include/batch.lua", "parsed[place] = lock", "statement → nothing"),
        ("include/integer.lua", "texts[value] = text", "statement → nothing"),
        ("include/integer.lua", "integers[text or 0] = value", "statement → nothing"),
        ("include/mirror.lua", "held_fields[mirror] = field", "statement → nothing"),
        ("include/integer.lua", "integers[text or 0] = value", "or → and"),
        ("include/integer.lua", "integers[text or 0] = value", "0 → 1"),
        ("include/terms.lua", "known_terms[text] = terms", "statement → nothing"),
    ],
    "a number too many is refused for its size or for their count": [
        (
            "include/terms.lua",
            "terms[#terms + 1] = integer(part, bounds[at + 1] or 0, bounds[at + 2] or 0)",
            "0 → 1 (2)",
        ),
    ],
    "only scripts write the availability hash, and they write nothing of another form": [
        ("include/mirror.lua", "return string.match(mirror, '^%l(%d*)')", "'^%l(%d*)' → '%l(%d*)'"),
        (
            "include/mirror.lua",
            "return tonumber(string.match(mirror, '^h%d*:(%d+)$') or '')",
            "'^h%d*:(%d+)$' → 'h%d*:(%d+)$'",
        ),
        (
            "include/mirror.lua",
            "return tonumber(string.match(mirror, '^h%d*:(%d+)$') or '')",
            "'^h%d*:(%d+)$' → '^h%d*:(%d+)'",
        ),
    ],
    "neither text is a number": [
        ("include/mirror.lua", "return tonumber(string.match(mirror, '^h%d*:(%d+)$') or '')", "'' → 'x'"),
        ("include/terms.lua", "text, terms = text or '', {}", "'' → 'x'"),
    ],
    "one entry is as good as two: only whether there is any counts": [
        (
            "include/outbox.lua",
            "if has_outbox and #redis.call('XRANGE', outbox_key, LAST_ID, LAST_ID, 'COUNT', '1') > 0 ",
            "'1' → '2'",
        ),
        (
            "include/stream.lua",
            "local beyond = redis.call('XRANGE', changes_key, epoch .. '-' .. digits(next_version), '",
            "'1' → '2'",
        ),
    ],
    "without any lock, or without an entry 0, there is nothing to find": [
        ("include/read.lua", "if there > 0 then", "> → >="),
        ("include/read.lua", "for place = 1, #names do", "1 → 0"),
    ],
    "a show's version and epoch are 1 or more": [
        ("include/show.lua", "local version = integer(facts[2], 0, 2 ^ 49)", "0 → 1"),
        ("include/show.lua", "integer(epoch, 0, 2 ^ 40)", "0 → 1"),
        (
            "include/warming.lua",
            "version, changes_cap = integer(facts[1], 0, 2 ^ 49) + 1, checked_cap(facts[3])",
            "0 → 1",
        ),
    ],
    "any text is right that is not the letter in question": [
        (
            "include/warming.lua",
            "if imported_before and wanted == 's' and string.sub(mirror or '', 1, 1) ~= 's' then",
            "'' → 'x'",
        ),
    ],
    "no plan has that digest either": [
        ("inspect.lua", "local reply = {'ok', facts[2] or ''}", "'' → 'x'"),
    ],
    "how many are taken in one step changes nothing in the end": [
        (
            "remnants.lua",
            "local cursor, found = unpack(redis.call('HSCAN', retired_key, ARGV[1], 'COUNT', '400'))",
            "'400' → '401'",
        ),
    ],
    "no deadline is anywhere near the bounds": [
        ("include/sale.lua", "if deadline and now <= integer(deadline, 0, 2 ^ 49) then", "0 → 1"),
        ("include/sale.lua", "if deadline and now <= integer(deadline, 0, 2 ^ 49) then", "2 → 3"),
        ("include/sale.lua", "if deadline and now <= integer(deadline, 0, 2 ^ 49) then", "49 → 50"),
        ("include/sale.lua", "if deadline and now <= integer(deadline, 0, 2 ^ 49) then", "49 → 48"),
    ],
    "the value too many goes to no name": [
        (
            "include/outbox.lua",
            "local kind, booking, holder, seats, payment, fact_epoch, fence = unpack(facts_noted, fir",
            "6 → 7",
        ),
    ],
    "deleting and adding nothing leaves everything as it is": [
        ("sweep.lua", "return {'ok', 0, 0}", "statement → nothing"),
    ],
}

EQUIVALENT: Final[dict[Key, str]] = {key: reason for reason, keys in _BECAUSE.items() for key in keys}
"""Every mutant that may survive, and the reason."""
