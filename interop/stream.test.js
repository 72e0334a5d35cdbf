// The stream between two peers cuts bytes anywhere, joins them, and takes its time.
'use strict'

const { setTimeout: sleep } = require('node:timers/promises')

const { bothRoles, file, noise, trade } = require('./pair.js')

async function * aByteAtATime (output) {
  for await (const chunk of output) {
    for (const byte of chunk) {
      yield Buffer.of(byte)
      // So that whoever reads does so in between.
      await sleep(1)
    }
  }
}

/** Holds everything until nothing more has come for a while. */
async function * allAtOnce (output) {
  const held = []
  let ended = false
  let wake = () => {}
  output.on('data', (chunk) => {
    held.push(chunk)
    wake()
  })
  output.on('end', () => {
    ended = true
    wake()
  })
  while (!ended || held.length > 0) {
    if (held.length === 0) await new Promise((resolve) => { wake = resolve })
    for (let length = -1; length < held.length && !ended;) {
      length = held.length
      await sleep(100)
    }
    if (held.length > 0) yield Buffer.concat(held.splice(0))
  }
}

async function * slowly (output) {
  for await (const chunk of output) {
    for (let at = 0; at < chunk.length; at += 8 << 10) {
      yield chunk.subarray(at, at + (8 << 10))
      await sleep(1)
    }
  }
}

/** Stops reading for a while now and then, so that whoever writes must wait. */
async function * withPauses (output) {
  let carried = 0
  for await (const chunk of output) {
    yield chunk
    if (carried >> 20 !== (carried += chunk.length) >> 20) await sleep(150)
  }
}

const SMALL = [
  {
    args: ['--close', '--id', 'left', '--since', '7', '--seen', 'hey yo', 'WHATEVER', 'beep', ''],
    bodies: ['boop'],
    notices: ['# ID right', '# SINCE 300', '# SEEN 1', '# SEEN 2', '# CLOSE']
  },
  {
    args: ['--close', '--id', 'right', '--since', '300', '--seen', 'beep', 'boop', 'hey yo'],
    bodies: ['WHATEVER', ''],
    notices: ['# ID left', '# SINCE 7', '# SEEN 1', '# CLOSE']
  }
]

for (const [how, way] of [['a byte at a time', aByteAtATime], ['all at once', allAtOnce]]) {
  bothRoles(`it does not matter that bytes come ${how}`, (t, programs) => trade(t, programs, SMALL, { there: way, back: way }))
}

for (const [how, way] of [['slowly', slowly], ['with pauses', withPauses]]) {
  for (const [which, ways] of [['from left to right', { there: way }], ['from right to left', { back: way }], ['both ways', { there: way, back: way }]]) {
    bothRoles(`contents cross each other when bytes pass ${how} ${which}`, (t, programs) => trade(t, programs, crowd(t), ways))
  }
}

// An npm peer that has not answered a REQUEST yet has not read the HASHES behind it, and dies of a content that it announces.
bothRoles('a peer that takes its time to open contents is not sent any before it can know them', (t, programs) => trade(t, programs, [
  { args: ['--close', ...slow(programs[0]), 'hey yo', 'WHATEVER', 'left'], bodies: ['boop', 'right'], notices: ['# CLOSE'] },
  { args: ['--close', ...slow(programs[1]), 'hey yo', 'boop', 'right'], bodies: ['WHATEVER', 'left'], notices: ['# CLOSE'] }
]), [['rust', 'npm'], ['npm', 'rust']])

function slow (program) {
  return program === 'npm' ? ['--delay', '200'] : []
}

/** Contents of many sizes on both sides, each acknowledged, so that messages about some wait among the bytes of others. */
function crowd (t) {
  const sizes = [1, 100, 10_000, 65_536, 300_000, 1 << 20, 2 << 20]
  const bodies = [1, 2].map((side) => sizes.map((size, index) => noise(16 * side + index, size)))
  const flags = ['--close', '--digest', '--seen', '--seq']
  const notices = [...sizes.map((_, index) => `# SEEN ${index + 1}`), '# CLOSE']
  return bodies.map((own, side) => ({
    args: [...flags, ...own.flatMap((body) => ['--file', file(t, body)])],
    bodies: bodies[1 - side],
    digest: true,
    notices
  }))
}
