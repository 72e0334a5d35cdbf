// Contents that are broken off, by who sends them and by who gets them.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { test } = require('node:test')
const exchange = require('hash-exchange')

const { Peer, bothRoles, file, noise, sha1, trade, within } = require('./pair.js')
const { Frames, read } = require('./wire.js')

const MIB = 1 << 20

/** Counts the bytes of contents that it carries. */
function count (carried) {
  return async function * (output) {
    const frames = new Frames()
    for await (const chunk of output) {
      for (const whole of frames.push(chunk)) {
        const { channel, data } = read(whole)
        if (channel > 1) carried.bytes += data.length
      }
      yield chunk
    }
  }
}

test('a content that npm breaks off has failed, and what comes with it comes whole', async (t) => {
  const [broken, whole] = [noise(1, MIB), noise(2, MIB)]
  await trade(t, ['npm', 'rust'], [
    { args: ['--close', '--break', sha1(broken), '--file', file(t, broken), '--file', file(t, whole)], bodies: ['beep'], notices: ['# CLOSE'] },
    {
      args: ['--close', '--digest', 'beep'],
      bodies: [whole],
      digest: true,
      notices: [`# FAILED ${sha1(broken)} the peer broke it off`, '# CLOSE'],
      status: 1
    }
  ])
})

test('a content that we break off has failed for npm, and what comes with it comes whole', async (t) => {
  const [broken, whole] = [noise(1, MIB), noise(2, MIB)]
  const changing = file(t, broken)
  /** The file changes once it has been offered. */
  async function * change (output) {
    for await (const chunk of output) {
      fs.appendFileSync(changing, 'more')
      yield chunk
    }
  }
  const reason = 'the file has changed since it was offered'
  await trade(t, ['rust', 'npm'], [
    { args: ['--close', '--file', changing, '--file', file(t, whole)], bodies: ['beep'], notices: [`peer: ${changing}: ${reason}`, '# CLOSE'], status: 1 },
    { args: ['--digest', '--close', 'beep'], bodies: [whole], digest: true, notices: [`error: ${sha1(broken)}: the peer gave up: ${reason}`, '# CLOSE'], status: 1 }
  ], { there: change })
})

bothRoles('a content that is given up stops coming, and what comes with it comes whole', async (t, programs) => {
  const [long, short] = [noise(1, 40 * MIB), noise(2, MIB)]
  const carried = { bytes: 0 }
  await trade(t, programs, [
    {
      args: ['--close', '--digest', '--limit', String(2 * MIB), 'beep'],
      bodies: [short],
      digest: true,
      notices: [`# FAILED ${sha1(long)} it has more than ${2 * MIB} bytes, the limit`, '# CLOSE'],
      status: 1
    },
    { args: ['--close', '--file', file(t, long), '--file', file(t, short)], bodies: ['beep'], notices: ['# CLOSE'] }
  ], { back: count(carried) })
  assert.ok(carried.bytes < 20 * MIB, `${carried.bytes} bytes of contents came`)
}, [['rust', 'npm'], ['rust', 'rust']])

// A frame that is under way when it gives up a content brings an npm peer down, so nothing can come with it.
test('a content that npm gives up is sent no more, and our peer is as it was', { timeout: 40_000 }, async (t) => {
  const long = noise(1, 40 * MIB)
  const peer = new Peer(t, 'rust', ['--file', file(t, long)])
  const carried = { bytes: 0 }
  const ex = exchange(() => {})
  ex.on('available', (hashes) => ex.request(hashes))
  const given = new Promise((resolve) => {
    ex.on('response', (hash, stream) => {
      stream.on('error', () => {})
      stream.once('data', () => {
        stream.destroy()
        resolve()
      })
    })
  })
  ex.on('data', (chunk) => peer.child.stdin.write(chunk))
  const read = (async () => {
    for await (const chunk of count(carried)(peer.child.stdout)) {
      if (!ex.destroyed) ex.write(chunk)
    }
  })()
  await within(given, 10_000)
  // What it has left to say is said by now.
  await new Promise((resolve) => setTimeout(resolve, 300))
  peer.child.stdin.end()
  await within(Promise.all([peer.exit, read]), 10_000)
  assert.deepEqual({ status: peer.status, said: peer.said() }, { status: 0, said: { bodies: [], notices: [] } })
  assert.ok(carried.bytes > 0 && carried.bytes < 20 * MIB, `${carried.bytes} bytes of contents came`)
})
