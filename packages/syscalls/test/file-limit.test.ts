import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { isRoot } from '../../../test/support/real-program.js'
import { closeFd, getFileLimit, setFileLimit, withSoftFileLimit } from '../src/index.js'
import { fileLimits } from '../src/file-limit.js'
import { isOpen } from './open-fds.js'

const before = getFileLimit()
afterEach(() => setFileLimit(before))

/** What a child says of its own. */
function limitOfChild(): string {
  return execFileSync('sh', ['-c', 'echo $(ulimit -S -n) $(ulimit -H -n)'], { encoding: 'utf8' })
}

const told = (soft: number, hard: number): string =>
  `${soft} ${hard}\n`.replace('Infinity', 'unlimited')

describe('the limit of descriptors', () => {
  test('is what a child inherits', () => {
    expect(limitOfChild()).toBe(told(before.soft, before.hard))
  })

  test('is set for this process and its children', () => {
    setFileLimit({ soft: 777, hard: before.hard })
    expect(getFileLimit()).toEqual({ soft: 777, hard: before.hard })
    expect(limitOfChild()).toBe(told(777, before.hard))
  })

  test('is enforced for new descriptors, and leaves open ones alone', () => {
    const fd = openSync('/dev/null', 'r')
    setFileLimit({ soft: 3, hard: before.hard })
    expect(() => openSync('/dev/null', 'r')).toThrow(expect.objectContaining({ code: 'EMFILE' }))
    expect(isOpen(fd)).toBe(true)
    setFileLimit(before)
    closeFd(fd)
  })

  test('is refused if the soft one exceeds the hard one', () => {
    expect(() => setFileLimit({ soft: before.hard + 1, hard: before.hard })).toThrow(
      expect.objectContaining({ code: 'EINVAL', syscall: 'prlimit' }),
    )
    expect(getFileLimit()).toEqual(before)
  })

  test.runIf(isRoot())('has a hard one that nobody but root raises', () => {
    const program = `import('${new URL('../dist/index.js', import.meta.url).href}').then((s) => {
      const { hard } = s.getFileLimit()
      process.setuid(65534)
      try { s.setFileLimit({ soft: 1, hard: hard + 1 }) } catch (error) { console.log(error.code) }
    })`
    const script = 'ulimit -n 500; exec "$0" -e "$1"'
    const args = ['-c', script, process.execPath, program]
    expect(execFileSync('sh', args, { encoding: 'utf8' })).toBe('EPERM\n')
  })

  test.each([-1, 1.5, Number.NaN, -Infinity, 2 ** 60, '1', undefined, null])(
    '%s is none',
    (wrong) => {
      expect(() => setFileLimit({ soft: wrong as number, hard: before.hard })).toThrow(TypeError)
      expect(() => setFileLimit({ soft: 1, hard: wrong as number })).toThrow(TypeError)
      expect(getFileLimit()).toEqual(before)
    },
  )

  test('that is no limit is all ones for the kernel', () => {
    expect([...fileLimits({ soft: 5, hard: Infinity })]).toEqual([5n, 2n ** 64n - 1n])
  })
})

describe('another soft limit for a child', () => {
  test('is the limit of what spawn starts, and not of this process', async () => {
    const child = withSoftFileLimit(512, () => {
      expect(getFileLimit()).toEqual({ soft: 512, hard: before.hard })
      return spawn('sh', ['-c', 'echo $(ulimit -S -n) $(ulimit -H -n)'])
    })
    expect(getFileLimit()).toEqual(before)
    const [output] = (await once(child.stdout, 'data')) as [Buffer]
    expect(`${output}`).toBe(told(512, before.hard))
  })

  test('is capped by the hard limit', () => {
    const result = withSoftFileLimit(Infinity, () => spawnSync('sh', ['-c', 'ulimit -S -n']))
    expect(`${result.stdout}`.trim()).toBe(told(before.hard, 0).split(' ')[0])
  })

  test('ends with an error of the start, which is passed on', () => {
    const error = new Error('no such program')
    const start = (): never => {
      throw error
    }
    expect(() => withSoftFileLimit(512, start)).toThrow(error)
    expect(getFileLimit()).toEqual(before)
  })

  test('that is none starts nothing', () => {
    let started = false
    expect(() => withSoftFileLimit(-1, () => (started = true))).toThrow(TypeError)
    expect(started).toBe(false)
    expect(getFileLimit()).toEqual(before)
  })

  test('may be one inside another', () => {
    const limits = withSoftFileLimit(600, () => [
      getFileLimit().soft,
      withSoftFileLimit(500, () => getFileLimit().soft),
      getFileLimit().soft,
    ])
    expect(limits).toEqual([600, 500, 600])
  })
})
