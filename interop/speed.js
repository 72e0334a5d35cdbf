#!/usr/bin/env node
// One side of a trade between two npm peers, for the measurement in benches/benches/speed: `speed.js give|take WORKLOAD SIZE [DETAIL]...`.
// It speaks on standard input and output, and says on standard error how many nanoseconds it took and by how many KiB its peak memory grew.
'use strict'

const { createHash } = require('node:crypto')
const fs = require('node:fs')
const { PassThrough } = require('node:stream')
const exchange = require('hash-exchange')

const [side, workload, size, detail, order] = process.argv.slice(2)
const count = Number(size)
const ex = exchange(open)
const held = new Map()

process.stdin.pipe(ex).pipe(process.stdout)
process.stdin.on('end', () => process.exit())
const meter = { start: process.hrtime.bigint(), kib: peak() }
roles()[`${side} ${workload}`]()

function roles () {
  return {
    'give body': () => {
      const hash = createHash('sha1')
      fs.createReadStream(detail).on('data', (chunk) => hash.update(chunk)).on('end', () => {
        const digest = hash.digest('hex')
        held.set(digest, () => fs.createReadStream(detail))
        restart()
        ex.provide([digest])
        process.on('exit', report)
      })
    },
    'take body': () => {
      ex.on('available', (hashes) => {
        restart()
        ex.request(hashes)
      })
      ex.on('response', (hash, stream) => {
        const sha1 = createHash('sha1')
        stream.on('data', (chunk) => sha1.update(chunk))
        stream.on('end', () => {
          if (sha1.digest('hex') !== hash) throw new Error('the body is not that of its hash')
          end()
        })
      })
    },
    'give bodies': () => {
      for (let index = 0; index < count; index++) {
        const body = Buffer.alloc(100)
        body.writeUInt32BE(index)
        held.set(sha1(body), () => {
          const stream = new PassThrough()
          stream.end(body)
          return stream
        })
      }
      restart()
      ex.provide([...held.keys()])
      process.on('exit', report)
    },
    'take bodies': () => {
      let taken = 0
      ex.on('available', (hashes) => {
        restart()
        const batch = Number(detail)
        for (let from = 0; from < hashes.length; from += batch) ex.request(hashes.slice(from, from + batch))
      })
      ex.on('response', (hash, stream) => {
        const chunks = []
        stream.on('data', (chunk) => chunks.push(chunk))
        stream.on('end', () => {
          if (sha1(Buffer.concat(chunks)) !== hash) throw new Error('the body is not that of its hash')
          if (++taken === count) end()
        })
      })
    },
    'give held': tradeHeld,
    'take held': tradeHeld
  }
}

/** Each side offers all that it holds once the other is ready, and says so once it has looked through the other's offers. */
function tradeHeld () {
  const hashes = []
  const batch = Number(detail)
  for (let index = 0; index < count; index++) {
    const body = Buffer.alloc(4)
    body.writeUInt32BE(index)
    hashes.push(sha1(body))
  }
  if (order === 'sorted') hashes.sort()
  let heard = 0
  let seen = false
  ex.on('id', () => {
    restart()
    for (let from = 0; from < count; from += batch) ex.provide(hashes.slice(from, from + batch))
  })
  ex.on('available', (lacking) => {
    if (lacking.length > 0) throw new Error('both hold the same')
    heard += batch
    if (heard >= count) ex.seen(1)
    endIfDone()
  })
  ex.on('seen', () => {
    seen = true
    endIfDone()
  })
  ex.id('ready')

  function endIfDone () {
    if (heard < count || !seen) return
    report()
    // What was said last is still to be written, and the package does not say when it is.
    setTimeout(() => process.exit(), 500)
  }
}

function open (hash, callback) {
  const source = held.get(hash)
  if (source) callback(null, source())
  else callback(new Error('not here'))
}

function restart () {
  meter.kib = peak()
  meter.start = process.hrtime.bigint()
}

function report () {
  const ns = process.hrtime.bigint() - meter.start
  process.stderr.write(`${ns} ${peak() - meter.kib}\n`)
}

function end () {
  report()
  process.exit()
}

/** The greatest resident memory that this process ever had, in KiB. */
function peak () {
  return process.resourceUsage().maxRSS
}

function sha1 (body) {
  return createHash('sha1').update(body).digest('hex')
}
