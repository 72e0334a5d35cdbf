// More than two peers.
'use strict'

const { bothRoles, ROLES, file, noise, trade } = require('./pair.js')
const { test } = require('node:test')

bothRoles('ten pairs trade at once, each its own', async (t, programs) => {
  const pairs = Array.from({ length: 10 }, (_, index) => trade(t, programs, [
    { args: ['--close', 'hey yo', `left ${index}`], bodies: [`right ${index}`, ''], notices: ['# CLOSE'] },
    { args: ['--close', 'hey yo', `right ${index}`, ''], bodies: [`left ${index}`], notices: ['# CLOSE'] }
  ]))
  const failed = (await Promise.allSettled(pairs)).find(({ status }) => status === 'rejected')
  if (failed) throw failed.reason
})

for (const [first, middle, last] of [...ROLES.map(([left, right]) => [left, right, left]), ['npm', 'rust', 'rust'], ['rust', 'rust', 'npm']]) {
  test(`what ${first} has reaches ${last} through ${middle}, which has traded with both`, { timeout: 60_000 }, async (t) => {
    const bodies = [noise(1, 100_000), noise(2, 1), noise(3, 500_000)]
    const [first100k, one, own] = bodies
    const args = (...bodies) => ['--close', '--digest', ...bodies.flatMap((body) => ['--file', file(t, body)])]
    const notices = ['# CLOSE']

    await trade(t, [first, middle], [
      { args: args(first100k, one), bodies: [own], digest: true, notices },
      { args: args(own), bodies: [first100k, one], digest: true, notices }
    ])
    await trade(t, [middle, last], [
      { args: args(own, first100k, one), bodies: [], digest: true, notices },
      { args: args(one), bodies: [own, first100k], digest: true, notices }
    ])
  })
}
