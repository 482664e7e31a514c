import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { bindSocket, closeFd, ownSocketFile, removeStaleSocketFile } from '../src/index.js'
import { openSocket } from './inbox.js'

const types = ['dgram', 'stream', 'seqpacket'] as const

describe('a socket file', () => {
  test.each(types)('of a %s socket that is gone is removed', (type) => {
    const path = join(temporaryDirectory(), 'a.sock')
    closeFd(bindSocket({ type, address: { family: 'unix', path } }))
    expect(existsSync(path)).toBe(true)
    removeStaleSocketFile(path)
    expect(existsSync(path)).toBe(false)
    removeStaleSocketFile(path)
  })

  test.each(types)('of a %s socket that somebody holds stays', (type) => {
    const path = join(temporaryDirectory(), 'a.sock')
    const fd = bindSocket({ type, address: { family: 'unix', path } })
    onTestFinished(() => closeFd(fd))
    removeStaleSocketFile(path)
    expect(existsSync(path)).toBe(true)
  })

  test('with a long path is found as well', () => {
    const path = join(temporaryDirectory(), 'd'.repeat(150), 'a.sock')
    mkdirSync(join(path, '..'))
    closeFd(bindSocket({ type: 'dgram', address: { family: 'unix', path } }))
    removeStaleSocketFile(path)
    expect(existsSync(path)).toBe(false)
  })

  test('that is no socket stays', () => {
    const path = join(temporaryDirectory(), 'a.sock')
    writeFileSync(path, '')
    removeStaleSocketFile(path)
    expect(existsSync(path)).toBe(true)
  })
})

describe("one's own socket file", () => {
  test('is removed once, and its absence is no error', () => {
    const path = join(temporaryDirectory(), 'a.sock')
    openSocket().bind({ family: 'unix', path })
    const remove = ownSocketFile(path)
    remove()
    expect(existsSync(path)).toBe(false)
    remove()
  })

  test('that another has replaced stays', () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'a.sock')
    openSocket().bind({ family: 'unix', path })
    const remove = ownSocketFile(path)
    // Moved, not removed: the next file must not get the same inode number.
    renameSync(path, join(directory, 'old.sock'))
    openSocket().bind({ family: 'unix', path })
    remove()
    expect(statSync(path).isSocket()).toBe(true)
  })
})
