// A congested npm peer emits contents before the HASHES that announces them. Other npm peers die of that; ours holds them.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')

const { Peer, bothRoles, file, noise, sha1, trade, within } = require('./pair.js')
const { Frames, frame, read, readRpc, request } = require('./wire.js')

const MIB = 1 << 20

/** Long enough for a process to write until nothing more is taken from it. */
const STUCK_MS = 300

/** Looks at what a peer emits and keeps count of what is not announced yet. */
class Early {
  /** Bytes of contents, and contents, that waited for their HASHES at one time. */
  most = { bytes: 0, contents: 0 }
  ended = 0
  #frames = new Frames()
  #announced = new Set()
  #names = new Map()
  #waiting = new Map()

  look (chunk) {
    for (const { channel, name, type, data } of this.#frames.push(chunk).map(read)) {
      if (name !== undefined) this.#names.set(channel, parseInt(name, 16))
      if (this.#names.get(channel) === 0) this.#hear(data)
      else this.#take(this.#names.get(channel) - 1, type, data)
    }
  }

  #hear (data) {
    for (const sequence of readRpc(data).sequences) {
      this.#announced.add(sequence)
      this.#waiting.delete(sequence)
    }
  }

  #take (sequence, type, data) {
    if (type === 'END') this.ended++
    if (this.#announced.has(sequence)) return
    this.#waiting.set(sequence, (this.#waiting.get(sequence) ?? 0) + data.length)
    const bytes = [...this.#waiting.values()].reduce((sum, size) => sum + size, 0)
    this.most = { bytes: Math.max(this.most.bytes, bytes), contents: Math.max(this.most.contents, this.#waiting.size) }
  }
}

for (const [how, groups] of [
  ['20 contents asked for at once', [20]],
  ['20 contents asked for at once, after one', [1, 20]],
  ['2 contents asked for one by one', [1, 1]],
  ['10 contents asked for one by one', Array(10).fill(1)],
  ['20 contents asked for one by one', Array(20).fill(1)]
]) {
  test(`how much comes early from a congested npm peer of ${how}`, { timeout: 60_000 }, async (t) => {
    let next = 0
    const asked = groups.map((size) => Array.from({ length: size }, () => noise(next++, MIB)))
    const bodies = [noise(255, 4 * MIB), ...asked.flat()]
    const peer = new Peer(t, 'npm', bodies.flatMap((body) => ['--file', file(t, body)]))
    const { stdin, stdout } = peer.child
    const early = new Early()
    const finished = (async () => {
      let congested = false
      stdin.write(frame(request([sha1(bodies[0])]), true))
      for await (const chunk of stdout) {
        early.look(chunk)
        if (early.ended === bodies.length) stdin.end()
        if (congested || chunk.length < 10_000) continue
        congested = true
        await sleep(STUCK_MS)
        for (const group of asked) stdin.write(frame(request(group.map(sha1))))
        await sleep(STUCK_MS)
      }
    })()
    await within(finished, 50_000)
    t.diagnostic(`at one time ${early.most.bytes} bytes of ${early.most.contents} contents waited for their HASHES`)
    assert.equal(early.ended, bodies.length, 'every content comes to its end')
  })
}

bothRoles('contents that overtake their HASHES under congestion are taken', async (t, programs) => {
  const first = noise(255, 4 * MIB)
  const bodies = Array.from({ length: 20 }, (_, index) => noise(index, MIB))
  const early = new Early()
  let release
  const congested = new Promise((resolve) => { release = resolve })

  /** What is asked after the first REQUEST waits until the other one is congested. */
  async function * ask (output) {
    const frames = new Frames()
    let requests = 0
    for await (const chunk of output) {
      for (const whole of frames.push(chunk)) {
        const { channel, data } = read(whole)
        if (channel === 1 && readRpc(data).type === 1 && ++requests === 2) await congested
        yield whole
      }
    }
  }

  /** Stops reading once the first content has begun to come. */
  async function * answer (output) {
    let stuck = false
    for await (const chunk of output) {
      early.look(chunk)
      yield chunk
      if (stuck || chunk.length < 10_000) continue
      stuck = true
      await sleep(STUCK_MS)
      release()
      await sleep(STUCK_MS)
    }
  }

  // Each AVAILABLE makes for a REQUEST, and each REQUEST for a HASHES that may wait.
  const asker = { args: ['--close', '--digest'], bodies: [first, ...bodies], digest: true, notices: ['# CLOSE'] }
  const holder = { args: ['--close', '--each', ...[first, ...bodies].flatMap((body) => ['--file', file(t, body)])], notices: ['# CLOSE'] }
  if (programs[0] === 'rust') await trade(t, programs, [asker, holder], { there: ask, back: answer })
  else await trade(t, programs, [holder, asker], { there: answer, back: ask })
  t.diagnostic(`at one time ${early.most.bytes} bytes of ${early.most.contents} contents waited for their HASHES`)
  assert.ok(early.most.bytes > 0, 'nothing came early: the congestion was none')
}, [['rust', 'npm'], ['npm', 'rust']])
