// Two peers as processes, the output of each carried to the input of the other.
'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { createCipheriv, createHash } = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')

const { Frames, read, readRpc } = require('./wire.js')

const PROGRAMS = {
  npm: [process.execPath, path.join(__dirname, 'peer.js')],
  rust: [process.env.PEER ?? path.join(__dirname, '..', 'target', 'debug', 'examples', 'peer')]
}

/** Both roles, and the package with itself, which shows that what is asked for can be had. */
const ROLES = [['rust', 'npm'], ['npm', 'rust'], ['npm', 'npm']]

const TIMEOUT_MS = 30_000

class Peer {
  /** Starts `program` with `args`; it does not outlive the test `t`. */
  constructor (t, program, args) {
    const [command, ...first] = PROGRAMS[program]
    this.program = program
    this.child = spawn(command, [...first, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.errors = []
    this.watchers = []
    this.child.stderr.on('data', (chunk) => {
      this.errors.push(chunk)
      this.watchers.splice(0).forEach((look) => look())
    })
    // Who is done no longer reads: what the other says then is not missed.
    this.child.stdin.on('error', () => {})
    this.exit = once(this.child, 'close').then(([code, signal]) => {
      this.status = signal ?? code
      this.watchers.splice(0).forEach((look) => look())
    })
    t.after(() => {
      if (this.status === undefined) this.child.kill('SIGKILL')
    })
  }

  stderr () {
    return Buffer.concat(this.errors).toString('latin1')
  }

  /** What it said: bodies as [hash, body] in the order of hashes, and other lines, the SEENs last, for bodies may come in any order. */
  said () {
    const bodies = []
    const notices = []
    const text = this.stderr()
    const body = /# BEGIN (\S*)\n([^]*?)\n# END \1\n/y
    const line = /(.*)\n/y
    for (let at = 0; at < text.length;) {
      body.lastIndex = line.lastIndex = at
      let match
      if ((match = body.exec(text))) bodies.push([match[1], match[2]])
      else if ((match = line.exec(text))) notices.push(match[1])
      else break
      at = (match[2] === undefined ? line : body).lastIndex
    }
    return { bodies: bodies.sort(), notices: inOrder(notices) }
  }

  /** Waits until it has said so many bodies and notices, or has ended. */
  async heard (expected) {
    const more = () => {
      const { bodies, notices } = this.said()
      return bodies.length < expected.bodies.length || notices.length < expected.notices.length
    }
    while (this.status === undefined && more()) await new Promise((resolve) => this.watchers.push(resolve))
  }
}

/** Carries bytes as they come. */
async function * asIs (output) {
  yield * output
}

function isClose (frame) {
  const { channel, data } = read(frame)
  return channel === 1 && readRpc(data).type === 4
}

function inOrder (notices) {
  const position = (line) => line.startsWith('# SEEN ') ? Number(line.slice(7)) + 1 : 0
  return notices.toSorted((a, b) => position(a) - position(b))
}

async function carry (from, to, way) {
  const frames = new Frames()
  try {
    for await (const chunk of way(from.child.stdout)) {
      from.closed ||= frames.push(chunk).some(isClose)
      if (!to.child.stdin.writable) continue
      if (!to.child.stdin.write(chunk)) await Promise.race([once(to.child.stdin, 'drain'), to.exit]).catch(() => {})
    }
  } finally {
    to.child.stdin.end()
  }
}

/**
 * Lets two peers trade and checks all that they say. `sides` are two of `{ args, bodies, notices }`, `bodies` being the messages that
 * this side must get, and `status` how it exits, 0 unless that is said. Unless both have `--close` among their arguments, they are hung up
 * on once they have said it all.
 */
async function trade (t, programs, sides, { there = asIs, back = asIs } = {}) {
  const expected = sides.map(({ bodies = [], notices = [], digest }) => ({
    bodies: bodies.map((body) => [sha1(body), digest ? `${body.length} ${sha1(body)}` : Buffer.from(body).toString('latin1')]).sort(),
    notices: inOrder(notices)
  }))
  const peers = programs.map((program, index) => new Peer(t, program, sides[index].args))
  const [left, right] = peers
  try {
    const carried = [carry(left, right, there), carry(right, left, back)]
    const closes = sides.every(({ args }) => args.includes('--close'))
    const all = (async () => {
      if (!closes) {
        await Promise.all(peers.map((peer, index) => peer.heard(expected[index])))
        peers.forEach((peer) => peer.child.stdin.end())
      }
      await Promise.all([...peers.map((peer) => peer.exit), ...carried])
    })()
    await within(all, TIMEOUT_MS)
    peers.forEach((peer, index) => {
      const said = peer.said()
      if (closes) {
        // An npm peer that closes second ends its output before its CLOSE has left it.
        assert.ok(peer.closed || peer.program === 'npm', 'it sends CLOSE')
        // An npm peer says so when it has heard ours, whether its own has left it or not; ours, when it has heard the other's.
        if (!peers[1 - index].closed) expected[index].notices = expected[index].notices.filter((line) => line !== '# CLOSE')
      }
      assert.deepEqual(said, expected[index], `what ${'left right'.split(' ')[index]} (${peer.program}) said`)
      assert.equal(peer.status, sides[index].status ?? 0, `the exit status of ${peer.program}`)
    })
  } catch (error) {
    peers.forEach((peer, index) => {
      t.diagnostic(`${'left right'.split(' ')[index]} (${peer.program}), status ${peer.status}, said:\n${peer.stderr().slice(0, 4000)}`)
    })
    throw error
  }
}

function within (promise, ms) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${ms / 1000} s`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** One test for each of the roles, whose names it bears. */
function bothRoles (name, body, roles = ROLES) {
  for (const programs of roles) test(`${name} (${programs.join(' and ')})`, { timeout: TIMEOUT_MS + 5_000 }, (t) => body(t, programs))
}

/** A file with that content, gone when the test is. */
function file (t, content) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'interop-'))
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }))
  const name = path.join(directory, 'content')
  fs.writeFileSync(name, content)
  return name
}

/** So many bytes that nothing compresses, the same ones for the same `seed`. */
function noise (seed, length) {
  const key = Buffer.alloc(16, seed)
  return createCipheriv('aes-128-ctr', key, key).update(Buffer.alloc(length))
}

function sha1 (body) {
  return createHash('sha1').update(body).digest('hex')
}

module.exports = { Peer, ROLES, bothRoles, file, noise, sha1, trade, within }
