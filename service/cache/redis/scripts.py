"""What Redis does in one step, so that no other upload comes in between: scripts in Lua.

KEYS of PUT and NOTE: the stream, then the image's notes; of DROP and RANGES the stream; all in one
slot.
``value.py`` says what lies in them. Whatever else lies there, of another type or cut, counts as
nothing.
"""

from __future__ import annotations

from service.cache.redis.value import HEAD_BYTES

_NOTE = """
local function note(key, name, text, seconds)
  local kept, notes, at = redis.pcall('GET', key), {}, 1
  while type(kept) == 'string' and at <= #kept do
    local size = string.byte(kept, at)
    local high, low = string.byte(kept, at + size + 1, at + size + 2)
    local last = low and at + size + 2 + high * 256 + low
    if not low or last > #kept then
      notes = {}
      break
    end
    if string.sub(kept, at + 1, at + size) ~= name then
      notes[#notes + 1] = string.sub(kept, at, last)
    end
    at = last + 1
  end
  local sizes = string.char(math.floor(#text / 256), #text % 256)
  notes[#notes + 1] = string.char(#name) .. name .. sizes .. text
  redis.call('SET', key, table.concat(notes), 'EX', seconds)
end
"""
PUT = (
    _NOTE
    + f"""
local head = redis.pcall('GETRANGE', KEYS[1], 0, 3)
if type(head) == 'string' and #head == 4 then
  local a, b, c, d = string.byte(head, 1, 4)
  if redis.call('STRLEN', KEYS[1]) == {HEAD_BYTES} + ((a * 256 + b) * 256 + c) * 256 + d then
    return 0
  end
end
note(KEYS[2], ARGV[2], ARGV[3], ARGV[4])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[4])
return 1
"""
)
"""ARGV: value, name, note, seconds. 0 where a stream of its whole length is there already."""
NOTE = (
    _NOTE
    + """
note(KEYS[2], ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)
"""ARGV: name, note, seconds."""
DROP = f"""
if redis.pcall('GETRANGE', KEYS[1], 4, {HEAD_BYTES - 1}) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
"""ARGV: hash of the stream that is dropped."""
RANGES = """
local first = redis.pcall('GETRANGE', KEYS[1], ARGV[1], ARGV[2])
return {first, redis.pcall('GETRANGE', KEYS[1], ARGV[3], ARGV[4])}
"""
"""ARGV: first and last byte of one range, of another. One reply, where a transaction has four."""
DELETE = """
local kept = redis.pcall('GET', KEYS[1])
if (type(kept) == 'string' and kept or '') ~= ARGV[1] then
  return -1
end
return redis.call('DEL', unpack(KEYS))
"""
"""KEYS: an image's notes, and all that goes with them. ARGV: the notes as they were read; -1 where
there are others by now."""
