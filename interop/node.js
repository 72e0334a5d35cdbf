#!/usr/bin/env node
// The npm package hash-exchange as a node among others: the flags, the files and the output of the Rust example `node`:
// node.js [--listen ADDR] [--peer ADDR]... [--dir DIR] [--until N]
'use strict'

const { createHash } = require('node:crypto')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { parseArgs } = require('node:util')
const exchange = require('hash-exchange')

/** A neighbour that is not there is dialled again after this pause. */
const REDIAL_MS = 100

/** Who has not been asked for anything for this long is not needed: a node of ours waits five seconds for a holder that stalls. */
const QUIET_MS = 6_000

const PARTIAL = '.partial'

const { values: { listen, peer: peers, dir, until } } = parseArgs({
  options: {
    listen: { type: 'string', default: '127.0.0.1:0' },
    peer: { type: 'string', multiple: true, default: [] },
    dir: { type: 'string', default: '.' },
    until: { type: 'string', default: 'Infinity' }
  }
})
const received = path.join(dir, '.received')

/** Where the body of each hash lies. */
const held = new Map()
/** What is on offer and not held: by whom, and of whom it is asked. */
const wanted = new Map()
const connections = new Set()
let stirred = Date.now()

fs.mkdirSync(received, { recursive: true })
const server = net.createServer((socket) => connect(socket))
server.listen(place(listen), () => {
  const { address, port } = server.address()
  console.log(`${address}:${port}`)
  readDir(dir)
  readDir(received)
  peers.forEach(dial)
})
setInterval(endIfDone, 50)

function place (address) {
  const { hostname, port } = new URL(`tcp://${address}`)
  return { host: hostname, port: Number(port) }
}

function readDir (dir) {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith(PARTIAL)) continue
    const file = path.join(dir, entry.name)
    const hash = sha1(fs.readFileSync(file))
    held.set(hash, file)
    console.log(`${hash} is ${file}`)
  }
}

function dial (peer) {
  connect(net.connect(place(peer))).on('close', () => setTimeout(dial, REDIAL_MS, peer))
}

/** Trades over a socket for as long as it stands. */
function connect (socket) {
  const ex = exchange((hash, callback) => callback(null, fs.createReadStream(held.get(hash))))
  const connection = { socket, ex }
  connections.add(connection)
  ex.on('available', (hashes) => hashes.forEach((hash) => offer(connection, hash)))
  ex.on('response', (hash, stream) => take(connection, hash, stream))
  socket.on('data', stir).pipe(ex).on('data', stir).pipe(socket)
  socket.on('error', () => {})
  socket.on('close', () => lose(connection))
  ex.provide([...held.keys()])
  return socket
}

function offer (connection, hash) {
  if (held.has(hash)) return
  if (!wanted.has(hash)) wanted.set(hash, { holders: new Set(), asked: undefined })
  wanted.get(hash).holders.add(connection)
  ask(hash)
}

/** One holder at a time is asked. */
function ask (hash) {
  const want = wanted.get(hash)
  if (want.asked !== undefined) return
  [want.asked] = want.holders
  want.asked?.ex.request([hash])
}

/** A holder that did not deliver is not asked again on this connection. */
function giveUp (connection, hash) {
  const want = wanted.get(hash)
  want?.holders.delete(connection)
  if (want?.asked !== connection) return
  want.asked = undefined
  ask(hash)
}

function lose (connection) {
  connections.delete(connection)
  for (const hash of wanted.keys()) giveUp(connection, hash)
}

function take (connection, hash, stream) {
  const chunks = []
  stream.on('data', (chunk) => chunks.push(chunk))
  // The package closes a stream that its sender gave up, and emits an error only if the sender said why.
  stream.on('error', () => {})
  stream.on('close', () => giveUp(connection, hash))
  stream.on('end', () => {
    const body = Buffer.concat(chunks)
    if (sha1(body) === hash) hold(connection, hash, body)
    else giveUp(connection, hash)
  })
}

/** Writes a body under its hash, all of it or nothing under that name, and tells whoever has not offered it. */
function hold (connection, hash, body) {
  if (held.has(hash)) return
  const file = path.join(received, hash)
  fs.writeFileSync(file + PARTIAL, body)
  fs.renameSync(file + PARTIAL, file)
  held.set(hash, file)
  const { holders } = wanted.get(hash)
  wanted.delete(hash)
  console.log(`${hash} from ${connection.socket.remoteAddress}:${connection.socket.remotePort}`)
  for (const other of connections) {
    if (!holders.has(other)) other.ex.provide([hash])
  }
}

function sha1 (body) {
  return createHash('sha1').update(body).digest('hex')
}

function stir () {
  stirred = Date.now()
}

function endIfDone () {
  const written = [...connections].every(({ socket }) => socket.connecting || socket.writableLength === 0)
  if (held.size >= Number(until) && written && Date.now() - stirred >= QUIET_MS) process.exit()
}
