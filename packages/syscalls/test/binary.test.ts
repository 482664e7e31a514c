import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { isThere, works } from '../../../test/support/real-program.js'

interface SymbolTable {
  undefined: string[]
  /** Where each one is that others can use: more than one place if it has versions that differ. */
  defined: Map<string, Set<string>>
}

const build = fileURLToPath(new URL('../native/build.js', import.meta.url))

/** All that the binary takes from the C library. */
const allowed = [
  ...['__errno_location', '__stack_chk_fail', 'syscall'],
  ...['calloc', 'free', 'malloc', 'memcpy', 'memset'],
  ...['pthread_create', 'pthread_detach', 'pthread_join', 'pthread_sigmask', 'sigfillset'],
  ...['pthread_mutex_lock', 'pthread_mutex_unlock', 'sigaction'],
]
/** Where the value is that guards the stack: on x64 beside the thread's own data, which needs no name. */
const guard = { x64: [], arm64: ['__stack_chk_guard'] }
const compilers = { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' }

describe.runIf(works('readelf', '--version')).each(['x64', 'arm64'] as const)('for %s', (arch) => {
  const isNative = arch === process.arch
  const binary = fileURLToPath(new URL(`../prebuilds/linux-${arch}.node`, import.meta.url))

  describe.runIf(isNative || works(compilers[arch], '--version'))('the binary', () => {
    beforeAll(() => {
      if (isNative) return
      const env = { ...process.env, CC: compilers[arch] }
      execFileSync(process.execPath, [build, '--arch', arch], { env })
    })

    test('names no library and no version, and stays mapped while its threads run', () => {
      const dynamic = readelf('--dynamic', binary)
      expect(dynamic).not.toMatch(/\((NEEDED|VERNEED|VERSYM|RPATH|RUNPATH|TEXTREL)\)/)
      expect(dynamic).toMatch(/FLAGS_1.*NODELETE/)
    })

    test('takes only what is on the list, and Node-API 8', () => {
      const names = symbols(binary).undefined
      expect(names).toContain('napi_create_function')
      const known = new Set([...allowed, ...guard[arch], ...nodeApi(8)])
      expect(names.filter((name) => !known.has(name))).toEqual([])
    })

    test('offers what Node looks for, and nothing else', () => {
      const names = [...symbols(binary).defined.keys()].toSorted()
      expect(names).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1'])
    })
  })
})

const musl = '/lib/ld-musl-x86_64.so.1'
test.runIf(works('readelf', '--version') && isThere(musl))(
  'musl has all that is on the list',
  () => {
    const { defined } = symbols(musl)
    // The names are the same on every architecture.
    expect([...allowed, ...guard.arm64].filter((name) => !defined.has(name))).toEqual([])
  },
)

const glibc = ['/lib/x86_64-linux-gnu/libc.so.6', '/lib/aarch64-linux-gnu/libc.so.6'].find(
  existsSync,
)
test.runIf(works('readelf', '--version') && isThere(glibc ?? '/lib/x86_64-linux-gnu/libc.so.6'))(
  'glibc has one form of each, so that a name without a version cannot get an old one',
  () => {
    const { defined } = symbols(glibc!)
    const forms = allowed.map((name) => [name, defined.get(name)?.size ?? 0] as const)
    // Its old form on x64 is memmove, which does what memcpy does.
    expect(forms.filter(([name, count]) => count !== 1 && name !== 'memcpy')).toEqual([])
    // The reason for the list: this one got parameters of another size.
    expect(defined.get('pthread_cond_wait')?.size).toBe(process.arch === 'x64' ? 2 : 1)
  },
)

function readelf(option: string, file: string): string {
  return execFileSync('readelf', [option, '--wide', file], { encoding: 'utf8', maxBuffer: 2 ** 24 })
}

function symbols(file: string): SymbolTable {
  const table: SymbolTable = { undefined: [], defined: new Map() }
  for (const line of readelf('--dyn-syms', file).split('\n')) {
    const [number, value, , , binding, visibility, section, name] = line.trim().split(/\s+/)
    if (
      !/^\d+:$/.test(number!) ||
      name === undefined ||
      binding === 'LOCAL' ||
      visibility === 'HIDDEN'
    )
      continue
    const [plain = ''] = name.split('@')
    if (section === 'UND') table.undefined.push(plain)
    else table.defined.set(plain, (table.defined.get(plain) ?? new Set()).add(value!))
  }
  return table
}

function nodeApi(version: number): string[] {
  const { symbols: byVersion } = createRequire(import.meta.url)('node-api-headers') as {
    symbols: Record<string, { js_native_api_symbols: string[]; node_api_symbols: string[] }>
  }
  const { js_native_api_symbols: ofEngine, node_api_symbols: ofNode } = byVersion[`v${version}`]!
  return [...ofEngine, ...ofNode]
}
