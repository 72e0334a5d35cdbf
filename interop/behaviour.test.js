// What the package's own tests hold up, between two processes.
'use strict'

const { bothRoles, sha1, trade } = require('./pair.js')

bothRoles('two peers trade what they lack', (t, programs) => trade(t, programs, [
  { args: ['hey yo', 'WHATEVER', 'beep'], bodies: ['boop'] },
  { args: ['beep', 'boop', 'hey yo'], bodies: ['WHATEVER'] }
]))

bothRoles('two peers that have traded close and end', (t, programs) => trade(t, programs, [
  { args: ['--close', 'hey yo', 'WHATEVER', 'beep'], bodies: ['boop'], notices: ['# CLOSE'] },
  { args: ['--close', 'beep', 'boop', 'hey yo'], bodies: ['WHATEVER'], notices: ['# CLOSE'] }
]))

bothRoles('two peers that lack nothing close and end', (t, programs) => trade(t, programs, [
  { args: ['--close', 'beep'], notices: ['# CLOSE'] },
  { args: ['--close', 'beep'], notices: ['# CLOSE'] }
]))

bothRoles('two peers that have nothing close and end', (t, programs) => trade(t, programs, [
  { args: ['--close'], notices: ['# CLOSE'] },
  { args: ['--close'], notices: ['# CLOSE'] }
]))

bothRoles('a content bears the sequence that its holder gave it', (t, programs) => trade(t, programs, [
  {
    args: ['--wait-since', '--since', '1', '--seq', '--seen', 'hey yo', 'WHATEVER', 'beep', 'zoom'],
    bodies: ['last'],
    notices: ['# SINCE 2', '# SEEN 4']
  },
  {
    args: ['--wait-since', '--since', '2', '--seq', '--seen', 'boop', 'beep', 'last'],
    bodies: ['zoom'],
    notices: ['# SINCE 1', '# SEEN 3']
  }
]))

bothRoles('what came before the sequence that was asked for is not offered', (t, programs) => trade(t, programs, [
  { args: ['--wait-since', '--since', '1', 'hey yo', 'WHATEVER', 'beep', 'zoom'], bodies: ['last'], notices: ['# SINCE 2'] },
  { args: ['--wait-since', '--since', '2', 'boop', 'beep', 'last'], bodies: ['zoom'], notices: ['# SINCE 1'] }
]))

bothRoles('since -1 and 0 ask for all there is', (t, programs) => trade(t, programs, [
  { args: ['--wait-since', '--since', '0', 'one', 'two'], bodies: ['three', 'four'], notices: ['# SINCE -1'] },
  { args: ['--wait-since', '--since', '-1', 'three', 'four'], bodies: ['one', 'two'], notices: ['# SINCE 0'] }
]))

bothRoles('peers say who they are, and that they have seen what came', (t, programs) => trade(t, programs, [
  { args: ['--id', 'A', '--since', '1', '--wait-since', '--seen', 'hey yo', 'zoom'], bodies: ['last'], notices: ['# ID B', '# SINCE 1', '# SEEN 1'] },
  { args: ['--id', 'B', '--since', '1', '--wait-since', '--seen', 'hey yo', 'last'], bodies: ['zoom'], notices: ['# ID A', '# SINCE 1', '# SEEN 1'] }
]))

bothRoles('an id may be any text', (t, programs) => trade(t, programs, [
  { args: ['--close', '--id', 'a name', 'beep'], notices: ['# ID ', '# CLOSE'] },
  { args: ['--close', '--id', '', 'beep'], notices: ['# ID a name', '# CLOSE'] }
]))

bothRoles('a content may be empty', (t, programs) => trade(t, programs, [
  { args: ['--close', '', 'beep'], bodies: ['boop'], notices: ['# CLOSE'] },
  { args: ['--close', 'boop'], bodies: ['', 'beep'], notices: ['# CLOSE'] }
]))

const UNKNOWN = sha1('nobody has this')

for (const asker of [0, 1]) {
  const name = `what nobody has is not found, and what was offered comes all the same, when the ${['left', 'right'][asker]} one asks`
  bothRoles(name, (t, programs) => {
    // The npm package does not tell who asked that a hash was not found.
    const missing = programs[asker] === 'rust' ? [`# MISSING ${UNKNOWN}`] : []
    const sides = [
      { args: ['hey yo'], bodies: ['beep'] },
      { args: ['beep'], bodies: ['hey yo'] }
    ]
    sides[asker].args.unshift('--request', UNKNOWN, '--request', 'no hash at all')
    sides[asker].notices = missing.length > 0 ? [...missing, '# MISSING no hash at all'] : []
    return trade(t, programs, sides)
  })
}

bothRoles('a message that is given twice is traded once', (t, programs) => trade(t, programs, [
  { args: ['--close', 'beep', 'beep', 'beep'], bodies: ['boop'], notices: ['# CLOSE'] },
  { args: ['--close', 'boop', 'boop'], bodies: ['beep'], notices: ['# CLOSE'] }
]))
