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
  ex.on('available', (hashes) => ask([...new Set(hashes)].filter((hash) => offer(connection, hash))))
  ex.on('response', (hash, stream) => take(connection, hash, stream))
  // What is offered to somebody who may not be there is no news.
  const say = () => { if (!socket.connecting) stir() }
  socket.on('data', stir).pipe(ex).on('data', say).pipe(socket)
  socket.on('error', () => {})
  socket.on('close', () => lose(connection))
  ex.provide([...held.keys()])
  return socket
}

/** Notes who has what, and whether nobody is asked for it yet. */
function offer (connection, hash) {
  if (held.has(hash)) return false
  if (!wanted.has(hash)) wanted.set(hash, { holders: new Set(), asked: undefined })
  wanted.get(hash).holders.add(connection)
  return wanted.get(hash).asked === undefined
}

/** One holder at a time is asked for a hash, in one REQUEST for all that it is asked for here. */
function ask (hashes) {
  const requests = new Map()
  for (const hash of hashes) {
    const want = wanted.get(hash)
    ;[want.asked] = want.holders
    if (want.asked === undefined) continue
    if (!requests.has(want.asked)) requests.set(want.asked, [])
    requests.get(want.asked).push(hash)
  }
  for (const [{ ex }, asked] of requests) ex.request(asked)
}

/** A holder that did not deliver these hashes is not asked for them again on this connection. */
function giveUp (connection, hashes) {
  ask(hashes.filter((hash) => {
    const want = wanted.get(hash)
    want?.holders.delete(connection)
    return want?.asked === connection
  }))
}

function lose (connection) {
  connections.delete(connection)
  giveUp(connection, [...wanted.keys()])
}

function take (connection, hash, stream) {
  const chunks = []
  stream.on('data', (chunk) => chunks.push(chunk))
  // The package closes a stream that its sender gave up, and emits an error only if the sender said why.
  stream.on('error', () => {})
  stream.on('close', () => giveUp(connection, [hash]))
  stream.on('end', () => {
    const body = Buffer.concat(chunks)
    if (sha1(body) === hash) hold(connection, hash, body)
    else giveUp(connection, [hash])
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
