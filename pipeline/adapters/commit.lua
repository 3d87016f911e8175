-- One commit of one partition: all of it or nothing.
--
-- KEYS  1 watermark, 2 due index, 3 internal outbox, 4 outward outbox,
--       then the entities to set, then those to remove
-- ARGV  1 expected watermark ("" for none), 2 new watermark,
--       3 token of this attempt and, behind a "|", the causes,
--       4..9 counts: sets, removals, due set, due removed, internal items, outward items
--       then the values to set, (instant, key) pairs, keys to take off the index,
--       and for each outbox item its id, the mark of its first entry, and its bytes
-- Returns 1 written, 2 already written by an earlier try of this very commit, 0 not ours to write,
-- -1 an outbox item is not later than those before it (a fault of the caller).
--
-- Redis does not undo what a failing script wrote: everything that can fail is checked before the
-- first write, and the first write is one that a full or read-only server refuses.

local expected, watermark, token = ARGV[1], ARGV[2], ARGV[3]
local sets, dels = tonumber(ARGV[4]), tonumber(ARGV[5])
local dues, undues = tonumber(ARGV[6]), tonumber(ARGV[7])
local outboxes = { { KEYS[3], tonumber(ARGV[8]) }, { KEYS[4], tonumber(ARGV[9]) } }

local function kind(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= wanted then
    error('' .. key .. ' is a ' .. found .. ', not a ' .. wanted)
  end
  return found
end

-- Ids are "offset-index"; as doubles offsets are exact up to 2^53.
local function later(a, b)
  local ao, ai = string.match(a, '^(%d+)-(%d+)$')
  local bo, bi = string.match(b, '^(%d+)-(%d+)$')
  ao, ai, bo, bi = tonumber(ao), tonumber(ai), tonumber(bo), tonumber(bi)
  return ao > bo or (ao == bo and ai > bi)
end

kind(KEYS[1], 'string')
local stored = redis.call('GET', KEYS[1]) or ''
local at = string.match(stored, '^[^|]*')
if stored == watermark .. '|' .. token then return 2 end
if at ~= expected then return 0 end

if #KEYS ~= 4 + sets + dels
  or #ARGV ~= 9 + sets + 2 * dues + undues + 3 * (outboxes[1][2] + outboxes[2][2]) then
  error('the commit is incomplete')
end
kind(KEYS[2], 'zset')
local arg = 9 + sets + 2 * dues + undues
for _, outbox in ipairs(outboxes) do
  local last = '0-0'
  if kind(outbox[1], 'stream') == 'stream' and outbox[2] > 0 then
    local info = redis.call('XINFO', 'STREAM', outbox[1])
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
  for _ = 1, outbox[2] do
    if not later(ARGV[arg + 2], last) then return -1 end
    last = ARGV[arg + 1]
    arg = arg + 3
  end
end

-- One call for many costs a fraction of many calls; Lua's stack ends at some 8,000.
local MOST = 2000
local function each(list, first, count, write)
  for from = first, first + count - 1, MOST do
    write(unpack(list, from, math.min(from + MOST, first + count) - 1))
  end
end

redis.call('SET', KEYS[1], watermark .. '|' .. token)
local both = {}
for i = 1, sets do
  both[2 * i - 1] = KEYS[4 + i]
  both[2 * i] = ARGV[9 + i]
end
each(both, 1, 2 * sets, function(...) redis.call('MSET', ...) end)
each(KEYS, 5 + sets, dels, function(...) redis.call('DEL', ...) end)
arg = 10 + sets
each(ARGV, arg, 2 * dues, function(...) redis.call('ZADD', KEYS[2], ...) end)
arg = arg + 2 * dues
each(ARGV, arg, undues, function(...) redis.call('ZREM', KEYS[2], ...) end)
arg = arg + undues
for _, outbox in ipairs(outboxes) do
  for _ = 1, outbox[2] do
    redis.call('XADD', outbox[1], ARGV[arg], 'f', ARGV[arg + 1], 'p', ARGV[arg + 2])
    arg = arg + 3
  end
end
return 1
