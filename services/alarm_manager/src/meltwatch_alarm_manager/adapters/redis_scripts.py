"""Lua: what changes the view is a script, so that it happens whole or not at all.

Each answers -1 when the view is gone (``meta`` is missing), 0 when it had nothing newer, else 1.
A command that is refused would end a script half-way: so all rights are asked for before.
"""

from typing import Final

_REFUSE: Final = """
for _, need in ipairs(needs) do
  if not redis.acl_check_cmd(unpack(need)) then
    return redis.error_reply("NOPERM no right to run '" .. need[1] .. "' with '" .. need[2] .. "'")
  end
end
"""
"""Ends a script with the first command of ``needs`` that this user may not run."""

ALARM: Final = f"""
local meta, alarm, active, unacked, shelved, journal = unpack(KEYS)
local id, epoch, seq, record, state, priority = unpack(ARGV, 1, 6)
local raised_ms, needs_ack, shelved_ms, offset, now_ns, channel, journal_length = unpack(ARGV, 7)

local needs = {{
  {{'exists', meta}}, {{'hget', meta, 'offset'}}, {{'hset', meta, 'offset', offset}},
  {{'hmget', alarm, 'epoch'}}, {{'hset', alarm, 'record', record}},
  {{'zadd', active, '0', id}}, {{'zrem', active, id}}, {{'sadd', unacked, id}},
  {{'srem', unacked, id}}, {{'zadd', shelved, '0', id}}, {{'zrem', shelved, id}},
  {{'xadd', journal, '*', 'alarm_id', id}}, {{'publish', channel, id}},
}}
{_REFUSE}
if redis.call('EXISTS', meta) == 0 then return -1 end

local reached = tonumber(redis.call('HGET', meta, 'offset')) or 0
if tonumber(offset) <= reached then return 0 end
redis.call('HSET', meta, 'offset', offset)

local known = redis.call('HMGET', alarm, 'epoch', 'seq')
local known_epoch, known_seq = tonumber(known[1]) or -1, tonumber(known[2]) or -1
epoch, seq = tonumber(epoch), tonumber(seq)
if epoch < known_epoch or (epoch == known_epoch and seq <= known_seq) then return 0 end

redis.call('HSET', alarm, 'record', record, 'epoch', ARGV[2], 'seq', ARGV[3],
           'state', state, 'priority', priority)
if raised_ms ~= '' then redis.call('ZADD', active, raised_ms, id)
else redis.call('ZREM', active, id) end
if needs_ack == '1' then redis.call('SADD', unacked, id)
else redis.call('SREM', unacked, id) end
if shelved_ms ~= '' then redis.call('ZADD', shelved, shelved_ms, id)
else redis.call('ZREM', shelved, id) end
redis.call('XADD', journal, 'MAXLEN', '~', journal_length, '*', 'alarm_id', id, 'record', record)
redis.call('HSET', meta, 'epoch', ARGV[2], 'updated_at_ns', now_ns)
redis.call('PUBLISH', channel, id)
return 1
"""
"""An alarm record: hash, lists, journal, progress and hint, guarded by offset and ``(epoch, seq)``.

The offset keeps out what is applied again. The pair alone would not: a tombstone takes it away, and
an alarm that is no more would stand there again.
"""

REMOVAL: Final = f"""
local meta, alarm, active, unacked, shelved = unpack(KEYS)
local id, offset, now_ns, channel = unpack(ARGV)

local needs = {{
  {{'exists', meta}}, {{'hget', meta, 'offset'}}, {{'hset', meta, 'offset', offset}},
  {{'del', alarm}}, {{'zrem', active, id}}, {{'srem', unacked, id}}, {{'zrem', shelved, id}},
  {{'publish', channel, id}},
}}
{_REFUSE}
if redis.call('EXISTS', meta) == 0 then return -1 end
local reached = tonumber(redis.call('HGET', meta, 'offset')) or 0
if tonumber(offset) <= reached then return 0 end

redis.call('DEL', alarm)
redis.call('ZREM', active, id)
redis.call('SREM', unacked, id)
redis.call('ZREM', shelved, id)
redis.call('HSET', meta, 'offset', offset, 'updated_at_ns', now_ns)
redis.call('PUBLISH', channel, id)
return 1
"""
"""A tombstone: the alarm point was decommissioned; guarded by the topic's offset."""

FURNACE_ARGUMENTS: Final = 19
"""Of one furnace: its id, and nine fields with their values."""

FURNACES: Final = f"""
local meta, furnaces, latest, needs = KEYS[1], KEYS[2], ARGV[1], {{}}
needs[1], needs[2] = {{'exists', meta}}, {{'sadd', furnaces, ''}}
for i = 3, #KEYS do
  needs[#needs + 1] = {{'hget', KEYS[i], 'window_end'}}
  needs[#needs + 1] = {{'hset', KEYS[i], 'window_end', ''}}
end
{_REFUSE}
if redis.call('EXISTS', meta) == 0 then return -1 end

local is_newer = 0
for i = 3, #KEYS do
  local furnace, first = KEYS[i], 2 + (i - 3) * {FURNACE_ARGUMENTS}
  local window_end, known = ARGV[first + 2], redis.call('HGET', KEYS[i], 'window_end')
  local is_known = known and string.find(known, '^%d%d%d%d%-')
  if not (is_known and known >= window_end and known <= latest) then
    redis.call('HSET', furnace, unpack(ARGV, first + 1, first + {FURNACE_ARGUMENTS} - 1))
    redis.call('SADD', furnaces, ARGV[first])
    is_newer = 1
  end
end
return is_newer
"""
"""Verdicts on furnaces, each guarded by its window end (RFC 3339 text sorts by time).

Of each furnace come its id, then field and value in turn, ``window_end`` first. What is shown of a
window later than any can be gives way: nothing true would ever be newer.
"""

RIGHTS: Final = f"""
local meta, alarm, active, unacked, journal = unpack(KEYS)
local needs = {{
  {{'exists', meta}}, {{'hget', meta, 'offset'}}, {{'hset', meta, 'offset', '0'}},
  {{'hmget', alarm, 'epoch'}}, {{'zadd', active, '0', ''}}, {{'zrem', active, ''}},
  {{'sadd', unacked, ''}}, {{'srem', unacked, ''}}, {{'xadd', journal, '*', 'alarm_id', ''}},
  {{'publish', ARGV[1], ''}}, {{'del', alarm}}, {{'scan', '0'}},
  {{'script', 'load', ''}}, {{'script', 'exists', ''}},
}}
{_REFUSE}
return 1
"""
"""Asks for all rights of the view's writer and changes nothing."""
