-- How far a partition is, as one moment shows it, without the entries' bytes.
-- KEYS 1 watermark, 2 due index, 3 internal outbox. Returns three texts, "" for none.
local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
local unpublished = ''
if first then
  local name, fields = first[1], first[2]
  unpublished = fields[1] == 'f' and fields[2] or name
end
local due = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
return { redis.call('GET', KEYS[1]) or '', unpublished, due[2] or '' }
