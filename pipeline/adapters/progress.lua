-- How far a partition is, as one moment shows it, without the entry's bytes.
-- KEYS 1 watermark, 2 due index, 3 internal outbox. Returns three texts, "" for none.
local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)
local due = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
return { redis.call('GET', KEYS[1]) or '', first[1] and first[1][1] or '', due[2] or '' }
