-- Who is due, and the watermark of which that is so.
-- KEYS 1 watermark, 2 due index. ARGV 1 latest instant, 2 how many to skip, 3 how many at most.
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', ARGV[2], ARGV[3])
return { redis.call('GET', KEYS[1]) or '', due }
