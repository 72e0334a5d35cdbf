#!/usr/bin/env node
// The npm package hash-exchange behind the flags and the output of the Rust example `peer`.
'use strict'

const { createHash } = require('node:crypto')
const fs = require('node:fs')
const { PassThrough } = require('node:stream')
const exchange = require('hash-exchange')

const USAGE = `usage: peer.js [FLAG | MESSAGE]...

Speaks on standard input and output; bodies and notices go to standard error.

  --file PATH     the content of a file is one message
  --lines PATH    each line that is not empty is a message
  --digest        print SIZE SHA1 in place of a body
  --id ID         send ID first
  --since N       send SINCE n next, n >= -1
  --wait-since    advertise nothing until SINCE n comes, then the messages after the n-th
  --seq           a message's position, from 1, is its sequence
  --seen          send SEEN with a response's sequence after its body
  --request HASH  ask for this hash at the start (repeatable)
  --limit BYTES   give up a body that is longer, as soon as it is
  --close         send CLOSE once all is done; when both have closed, end
  --              all that follows are messages

and of this peer alone:

  --delay MS      open a content only so long after it was asked for
  --each          advertise each message in an AVAILABLE of its own
  --break HASH    break off this content behind its first chunk (repeatable)
`

const options = parse(process.argv.slice(2))
const messages = [...new Map(options.messages.map((message) => [message.hash, message])).values()]
const held = new Map(messages.map((message, index) => [message.hash, { ...message, position: index + 1 }]))

const ex = exchange(open)
const asked = new Set()
const lacking = new Set()
let advertised = false
let heard = false
let answered = false
let serving = 0
let closing = false

ex.on('id', (id) => say(`# ID ${id}`))
ex.on('seen', (sequence) => say(`# SEEN ${sequence}`))
ex.on('since', (sequence) => {
  say(`# SINCE ${sequence}`)
  if (options.waitSince && !advertised) advertise(Math.max(sequence, 0))
})
ex.on('available', (hashes) => {
  // An offer may repeat a hash, which a REQUEST names once. As the readme's example does, an empty REQUEST is sent as well.
  request([...new Set(hashes)].filter((hash) => !held.has(hash) && !asked.has(hash)))
  heard = true
  closeIfDone()
})
ex.on('response', (hash, stream, sequence) => {
  const sha1 = createHash('sha1')
  const chunks = []
  let size = 0
  stream.on('error', (error) => failed(`the peer gave up: ${error.message}`))
  stream.on('data', (chunk) => {
    sha1.update(chunk)
    size += chunk.length
    if (size > options.limit) {
      stream.destroy()
      return failed(`it has more than ${options.limit} bytes`)
    }
    if (!options.digest) chunks.push(chunk)
  })
  stream.on('end', () => {
    const digest = sha1.digest('hex')
    if (digest !== hash) return failed(`the body that came has the hash ${digest}`)
    const body = options.digest ? [Buffer.from(`${size} ${digest}`)] : chunks
    say(Buffer.concat([Buffer.from(`# BEGIN ${hash}\n`), ...body, Buffer.from(`\n# END ${hash}`)]))
    if (options.seen) ex.seen(sequence)
    settle()
  })

  function failed (why) {
    fail(`${hash}: ${why}`)
    settle()
  }

  function settle () {
    lacking.delete(hash)
    closeIfDone()
  }
})
ex.on('close', () => say('# CLOSE'))
ex.on('end', () => process.stdout.write('', () => process.stderr.write('', () => process.exit())))
if (options.close) watch()

if (options.id !== undefined) ex.id(options.id)
if (options.since !== undefined) ex.since(options.since)
if (!options.waitSince) advertise(0)
for (const hash of options.request) request([hash])

process.stdin.pipe(ex).pipe(process.stdout)

function advertise (after) {
  advertised = true
  const hashes = messages.slice(after).map((message) => message.hash)
  if (options.each) hashes.forEach((hash) => ex.provide([hash]))
  else ex.provide(hashes)
}

function request (hashes) {
  for (const hash of hashes) {
    asked.add(hash)
    lacking.add(hash)
  }
  ex.request(hashes)
}

function open (hash, callback) {
  if (options.delay) setTimeout(answer, options.delay)
  else answer()

  function answer () {
    const message = held.get(hash)
    let stream
    if (message.path === undefined) {
      stream = new PassThrough()
      stream.end(message.body)
    } else {
      stream = fs.createReadStream(message.path)
    }
    if (options.break.includes(hash)) stream = breaking(stream)
    if (options.seq) callback(null, stream, message.position)
    else callback(null, stream)
  }
}

/** A source has no way to say that it has failed; but it is asked to pipe itself, and so gets hold of its channel. */
function breaking (stream) {
  return {
    pipe (channel) {
      stream.once('data', (chunk) => {
        stream.destroy()
        channel.write(chunk, () => channel.destroy())
      })
    }
  }
}

// The package says neither when a REQUEST was answered nor when a content was sent.
function watch () {
  const handleRequest = ex._handleRequest
  ex._handleRequest = (hashes, next) => handleRequest.call(ex, hashes, () => {
    answered = true
    next()
    closeIfDone()
  })
  const createStream = ex._mplex.createStream
  ex._mplex.createStream = (name) => {
    const stream = createStream.call(ex._mplex, name)
    serving++
    let ended = false
    const end = () => {
      if (ended) return
      ended = true
      serving--
      closeIfDone()
    }
    // The one when all is written, the other when it is broken off.
    stream.on('finish', end).on('close', end).on('error', () => {})
    return stream
  }
}

function closeIfDone () {
  if (!options.close || closing || !heard || !answered || serving > 0 || lacking.size > 0) return
  // Once both have closed the package drops what it has not written, so all of that is written first.
  if (!written()) return setTimeout(closeIfDone, 1)
  closing = true
  ex.close()
}

function written () {
  const encoder = ex._mplex._readable
  return [ex._rpc, ex._rpc._writable, encoder, process.stdout].every((stream) => stream._writableState.length === 0) &&
    [encoder, ex._mplex, ex].every((stream) => stream._readableState.length === 0)
}

function say (line) {
  process.stderr.write(Buffer.concat([Buffer.from(line), Buffer.from('\n')]))
}

function fail (message) {
  process.stderr.write(`error: ${message}\n`)
  process.exitCode = 1
}

function refuse (message) {
  process.stderr.write(`error: ${message}\n\n${USAGE}`)
  process.exit(2)
}

function parse (args) {
  const options = { messages: [], request: [], break: [], limit: Infinity }
  const flags = {
    '--digest': () => { options.digest = true },
    '--wait-since': () => { options.waitSince = true },
    '--seq': () => { options.seq = true },
    '--seen': () => { options.seen = true },
    '--close': () => { options.close = true },
    '--each': () => { options.each = true },
    '--help': () => {
      process.stdout.write(USAGE)
      process.exit(0)
    }
  }
  const valued = {
    '--file': (path) => {
      const sha1 = createHash('sha1')
      const chunk = Buffer.alloc(1 << 16)
      const file = fs.openSync(path)
      for (let length; (length = fs.readSync(file, chunk)) > 0;) sha1.update(chunk.subarray(0, length))
      fs.closeSync(file)
      options.messages.push({ hash: sha1.digest('hex'), path })
    },
    '--lines': (path) => fs.readFileSync(path, 'latin1').split('\n').filter((line) => line !== '').forEach((line) => add(Buffer.from(line, 'latin1'))),
    '--id': (id) => { options.id = id },
    '--since': (text) => {
      if (!/^(-1|\d+)$/.test(text)) refuse(`--since ${text}: an integer of at least -1 is expected`)
      options.since = Number(text)
    },
    '--request': (hash) => options.request.push(hash),
    '--break': (hash) => options.break.push(hash),
    '--limit': (text) => {
      if (!/^\d+$/.test(text)) refuse(`--limit ${text}: a number of bytes is expected`)
      options.limit = Number(text)
    },
    '--delay': (text) => {
      if (!/^\d+$/.test(text)) refuse(`--delay ${text}: a number of milliseconds is expected`)
      options.delay = Number(text)
    }
  }
  const add = (body) => options.messages.push({ hash: createHash('sha1').update(body).digest('hex'), body })

  while (args.length > 0) {
    const arg = args.shift()
    if (arg === '--') args.splice(0).forEach((message) => add(Buffer.from(message)))
    else if (Object.hasOwn(flags, arg)) flags[arg]()
    else if (Object.hasOwn(valued, arg)) {
      if (args.length === 0) refuse(`${arg}: a value is expected after it`)
      const value = args.shift()
      try {
        valued[arg](value)
      } catch (error) {
        fail(`${arg} ${value}: ${error.message}`)
        process.exit(1)
      }
    } else if (arg.startsWith('--')) refuse(`${arg}: there is no such flag with the npm package`)
    else add(Buffer.from(arg))
  }
  return options
}
