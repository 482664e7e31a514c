import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { works } from '../../../test/support/real-program.js'

const binary = fileURLToPath(new URL(`../prebuilds/linux-${process.arch}.node`, import.meta.url))

/**
 * All that the binary takes from the C library. Each exists in glibc and in musl, and in one form only: a
 * name without a version binds to the oldest form that glibc has.
 */
const allowed = new Set([
  ...['__errno_location', '__stack_chk_fail', '__stack_chk_guard', 'syscall'],
  ...['calloc', 'free', 'malloc', 'memcpy', 'memset'],
  ...['pthread_create', 'pthread_detach', 'pthread_join', 'pthread_sigmask', 'sigfillset'],
  ...['pthread_mutex_lock', 'pthread_mutex_unlock', 'sigaction'],
])

describe.runIf(works('readelf', '--version'))('the binary', () => {
  test('names no library, and stays mapped while its threads run', () => {
    const dynamic = execFileSync('readelf', ['--dynamic', '--wide', binary], { encoding: 'utf8' })
    expect(dynamic).not.toContain('(NEEDED)')
    expect(dynamic).toMatch(/FLAGS_1.*NODELETE/)
  })

  test('takes only what both C libraries have, and names no version of it', () => {
    const symbols = execFileSync('readelf', ['--dyn-syms', '--wide', binary], { encoding: 'utf8' })
    const undefinedOnes = [...symbols.matchAll(/ UND (\S+)/g)].map(([, name]) => name!)
    expect(undefinedOnes).toContain('napi_create_function')
    expect(undefinedOnes.filter((name) => !name.startsWith('napi_') && !allowed.has(name))).toEqual(
      [],
    )
  })
})
