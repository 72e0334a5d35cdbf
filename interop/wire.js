// As much of the wire as it takes to ask, and to see in what order answers come.
'use strict'

/** A message of the RPC stream; the first of a side names the stream. */
function frame (rpc, first) {
  const body = Buffer.concat([Buffer.from([0x08, 0x02]), first ? field(0x12, '0') : Buffer.of(), field(0x22, rpc)])
  return Buffer.concat([varint(body.length), body])
}

function request (hashes) {
  return Buffer.concat([Buffer.of(0, 1), ...hashes.map((hash) => field(0x0a, hash))])
}

function field (key, value) {
  return Buffer.concat([Buffer.of(key), varint(Buffer.byteLength(value)), Buffer.from(value)])
}

function varint (value) {
  const bytes = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 | 128)
  return Buffer.from([...bytes, value])
}

/** Cuts a stream of bytes into frames. */
class Frames {
  #held = []
  #length = 0

  /** The frames that `chunk` completes, as they came, prefix and all. */
  push (chunk) {
    const whole = []
    this.#held.push(chunk)
    this.#length += chunk.length
    for (;;) {
      if (this.#held.length > 1 && this.#held[0].length < 10) this.#held = [Buffer.concat(this.#held)]
      if (this.#length === 0) return whole
      const prefix = number(this.#held[0], 0)
      if (!prefix || this.#length < prefix.end + prefix.value) return whole
      const all = Buffer.concat(this.#held)
      const end = prefix.end + prefix.value
      this.#held = end < all.length ? [all.subarray(end)] : []
      this.#length = all.length - end
      whole.push(all.subarray(0, end))
    }
  }
}

/** What is in a frame: `{ channel, name, type, data }`. */
function read (frame) {
  const { end } = number(frame, 0)
  const content = fields(frame.subarray(end))
  const zigzag = content.get(1)[0]
  return {
    channel: zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2,
    name: content.get(2)?.[0].toString(),
    type: ['DATA', 'END', 'ERROR'][(content.get(3)?.[0] ?? 1) - 1],
    data: content.get(4)?.[0] ?? Buffer.of()
  }
}

/** The type of a message, and the sequences that a HASHES announces. */
function readRpc (data) {
  const content = fields(data)
  return { type: content.get(0)[0], sequences: (content.get(2) ?? []).map((mapping) => fields(mapping).get(1)[0]) }
}

function fields (bytes) {
  const all = new Map()
  for (let at = 0; at < bytes.length;) {
    const key = number(bytes, at)
    const value = number(bytes, key.end)
    const tag = Math.floor(key.value / 8)
    // Keys 0x02 and 0x00 of this protocol are lengths and numbers like any other.
    const delimited = key.value % 8 === 2
    const list = all.get(tag) ?? all.set(tag, []).get(tag)
    list.push(delimited ? bytes.subarray(value.end, value.end + value.value) : value.value)
    at = delimited ? value.end + value.value : value.end
  }
  return all
}

function number (bytes, at) {
  let value = 0
  for (let scale = 1; at < bytes.length; scale *= 128) {
    const byte = bytes[at++]
    value += (byte & 127) * scale
    if (byte < 128) return { value, end: at }
  }
  return undefined
}

module.exports = { Frames, frame, read, readRpc, request }
