// Large contents and many of them.
'use strict'

const { bothRoles, file, noise, trade } = require('./pair.js')

const SIZE = 20 << 20

bothRoles('a content of 20 MiB comes whole', (t, programs) => {
  const body = noise(1, SIZE)
  return trade(t, programs, [
    { args: ['--close', '--digest', '--file', file(t, body)], bodies: ['beep'], digest: true, notices: ['# CLOSE'] },
    { args: ['--close', '--digest', 'beep'], bodies: [body], digest: true, notices: ['# CLOSE'] }
  ])
})

bothRoles('contents of 20 MiB cross each other', (t, programs) => {
  const bodies = [noise(2, SIZE), noise(3, SIZE)]
  return trade(t, programs, [
    { args: ['--close', '--digest', '--file', file(t, bodies[0]), 'a'], bodies: [bodies[1], 'b'], digest: true, notices: ['# CLOSE'] },
    { args: ['--close', '--digest', '--file', file(t, bodies[1]), 'b'], bodies: [bodies[0], 'a'], digest: true, notices: ['# CLOSE'] }
  ])
})

bothRoles('one message names 10,000 hashes', (t, programs) => {
  const lines = Array.from({ length: 10_000 }, (_, index) => `message ${index}`)
  return trade(t, programs, [
    { args: ['--close', '--lines', file(t, lines.join('\n'))], bodies: ['beep'], notices: ['# CLOSE'] },
    { args: ['--close', 'beep'], bodies: lines, notices: ['# CLOSE'] }
  ])
})
