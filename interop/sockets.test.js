// Nodes on real sockets, which share directories: two are ours, one is npm's.
'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { describe, test } = require('node:test')
const exchange = require('hash-exchange')

const { noise, sha1, within } = require('./pair.js')

const PROGRAMS = {
  npm: [process.execPath, path.join(__dirname, 'node.js')],
  rust: [process.env.NODE ?? path.join(__dirname, '..', 'target', 'debug', 'examples', 'node')]
}

const ANY = '127.0.0.1:0'

const TIMEOUT_MS = 40_000

/** What lies in the directories of three nodes. */
const FILES = [
  { beep: 'beep', 'a large one': noise(1, 3 << 20), empty: '' },
  { boop: 'boop', 'also beep': 'beep', 'more than a buffer': noise(2, 300_000) },
  { 'hey yo': 'hey yo', 'as large': noise(3, (3 << 20) + 1), 'also empty': '' }
]

/** A node as a process, which ends by itself once it holds `until` hashes, and in any case with the test `t`. */
class Running {
  lines = []
  errors = []
  #watchers = []

  constructor (t, program, { dir, until, peers = [], listen = ANY }) {
    const [command, ...first] = PROGRAMS[program]
    const dials = peers.flatMap((peer) => ['--peer', peer])
    const args = [...first, '--listen', listen, ...dials, '--dir', dir, '--until', until]
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stderr.on('data', (chunk) => this.errors.push(chunk))
    readline.createInterface(this.child.stdout).on('line', (line) => {
      this.lines.push(line)
      this.#watchers.splice(0).forEach((look) => look())
    })
    this.exit = once(this.child, 'close').then(([code, signal]) => {
      this.status = signal ?? code
      this.#watchers.splice(0).forEach((look) => look())
    })
    t.after(() => this.child.kill('SIGKILL'))
    this.said = () => `${program}, status ${this.status}, said:\n${this.lines.join('\n')}\n${Buffer.concat(this.errors)}`
  }

  /** The address on which it listens, which is its first line. */
  async address () {
    await this.until(() => this.lines.length > 0)
    return this.lines[0]
  }

  /** Waits until it has said what makes `so` true. */
  until (so) {
    const said = async () => {
      while (!so()) {
        assert.equal(this.status, undefined, this.said())
        await new Promise((resolve) => this.#watchers.push(resolve))
      }
    }
    return within(said(), TIMEOUT_MS)
  }

  /** The hashes that it has named as held. */
  held () {
    return new Set(this.lines.slice(1).map((line) => line.split(' ')[0])).size
  }
}

/** A directory for each set of files, and the hashes of all that is in them. */
function share (t, files) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'interop-'))
  t.after(() => fs.rmSync(home, { recursive: true, force: true }))
  const dirs = files.map((own, index) => {
    const dir = path.join(home, `node ${index}`)
    fs.mkdirSync(dir)
    for (const [name, body] of Object.entries(own)) fs.writeFileSync(path.join(dir, name), body)
    return dir
  })
  const union = [...new Set(files.flatMap((own) => Object.values(own).map(sha1)))].sort()
  return { dirs, union }
}

/** All end in good order, and each directory has got what it lacked of the union, whole, and no more. */
async function converge (nodes, files, { dirs, union }) {
  await within(Promise.all(nodes.map((node) => node.exit)), TIMEOUT_MS).catch((error) => {
    throw new Error(`${error.message}: ${nodes.map((node) => node.said()).join('\n')}`)
  })
  for (const node of nodes) assert.equal(node.status, 0, node.said())
  dirs.forEach((dir, index) => {
    const own = new Set(Object.values(files[index]).map(sha1))
    const received = path.join(dir, '.received')
    const names = fs.readdirSync(received).sort()
    assert.deepEqual(names, union.filter((hash) => !own.has(hash)), `what came to ${dir}`)
    for (const name of names) assert.equal(sha1(fs.readFileSync(path.join(received, name))), name)
  })
}

describe('nodes on sockets', { concurrency: true }, () => {
  for (const [programs, shape, dials] of [
    [['rust', 'npm', 'rust'], 'a line', [[], [0], [1]]],
    [['npm', 'rust', 'rust'], 'a line', [[], [0], [1]]],
    [['rust', 'rust', 'npm'], 'a line', [[], [0], [1]]],
    [['npm', 'rust', 'rust'], 'a star whose centre is dialled', [[], [0], [0]]],
    [['rust', 'rust', 'npm'], 'a star whose centre dials', [[], [], [0, 1]]],
    [['rust', 'npm', 'rust'], 'a ring', [[], [0], [0, 1]]]
  ]) {
    test(`${programs.join(', ')} in ${shape} end with the files of all`, async (t) => {
      const shared = share(t, FILES)
      const nodes = []
      for (const [index, program] of programs.entries()) {
        const peers = await Promise.all(dials[index].map((peer) => nodes[peer].address()))
        nodes.push(new Running(t, program, { dir: shared.dirs[index], until: shared.union.length, peers }))
      }
      await converge(nodes, FILES, shared)
    })
  }

  for (const programs of [['rust', 'npm', 'rust'], ['npm', 'rust', 'rust']]) {
    test(`the middle of ${programs.join(', ')} is killed half way and comes back`, async (t) => {
      const many = Array.from({ length: 8 }, (_, index) => [`part ${index}`, noise(index, 3 << 20)])
      const files = [Object.fromEntries(many), FILES[1], FILES[2]]
      const shared = share(t, files)
      const start = (index, options) => new Running(t, programs[index], { dir: shared.dirs[index], until: shared.union.length, ...options })
      const killed = start(1)
      const listen = await killed.address()
      const first = start(0, { peers: [listen] })
      await killed.until(() => killed.lines.some((line) => line.includes(' from ')))
      killed.child.kill('SIGKILL')
      await killed.exit
      assert.equal(killed.status, 'SIGKILL')
      // What the last one has cannot have passed through it.
      t.diagnostic(`it held ${killed.held()} of ${shared.union.length} when it was killed`)
      const last = start(2, { peers: [listen] })
      await converge([first, start(1, { listen }), last], files, shared)
    })
  }

  test('two nodes trade past one of npm that is stopped, and all is well when it goes on', async (t) => {
    const shared = share(t, FILES)
    const start = (program, index, peers) => new Running(t, program, { dir: shared.dirs[index], until: shared.union.length, peers })
    const stopped = start('npm', 0, [])
    const address = await stopped.address()
    stopped.child.kill('SIGSTOP')
    const left = start('rust', 1, [address])
    const right = start('rust', 2, [address, await left.address()])
    const theirs = new Set([FILES[1], FILES[2]].flatMap((own) => Object.values(own).map(sha1))).size
    for (const node of [left, right]) await node.until(() => node.held() === theirs)
    stopped.child.kill('SIGCONT')
    await converge([stopped, left, right], FILES, shared)
  })

  for (const programs of [['rust', 'npm'], ['npm', 'rust']]) {
    test(`a directory of 4,000 files goes from ${programs.join(' to ')}`, async (t) => {
      const files = [Object.fromEntries(Array.from({ length: 4_000 }, (_, index) => [`file ${index}`, `content ${index}`])), {}]
      const shared = share(t, files)
      const whole = new Running(t, programs[0], { dir: shared.dirs[0], until: shared.union.length })
      const empty = new Running(t, programs[1], { dir: shared.dirs[1], until: shared.union.length, peers: [await whole.address()] })
      await converge([whole, empty], files, shared)
      // Nothing came twice, as it would after a connection was lost.
      assert.equal(empty.lines.filter((line) => line.includes(' from ')).length, shared.union.length)
    })
  }

  test('what an npm peer offers and never sends comes from another', async (t) => {
    const files = [{}, { 'hey yo': 'hey yo' }]
    const shared = share(t, files)
    let mute
    const asked = new Promise((resolve) => {
      mute = net.createServer((socket) => {
        const ex = exchange((hash) => resolve(hash))
        socket.on('error', () => {}).pipe(ex).pipe(socket)
        ex.provide(shared.union)
      })
    })
    t.after(() => mute.close())
    await once(mute.listen(0, '127.0.0.1'), 'listening')
    const asker = new Running(t, 'rust', { dir: shared.dirs[0], until: 1, peers: [`127.0.0.1:${mute.address().port}`] })
    assert.equal(await within(asked, TIMEOUT_MS), shared.union[0])
    const other = new Running(t, 'rust', { dir: shared.dirs[1], until: 1, peers: [await asker.address()] })
    await converge([asker, other], files, shared)
  })
})
