import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freePort } from '../../../packages/listen-fds/test/client.js'
import { works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { makeCertificate } from './certificate.js'
import type { Place } from './clients.js'
import { type Example, EXAMPLES } from './examples.js'
import { RunningProgram } from './running-program.js'
import { copyOf, FOLDER } from './workshop.js'

const hasActivation = works('systemd-socket-activate', '--version')

describe('the programs', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.js'))

  test('are all tested', () => {
    expect(EXAMPLES.map(({ file }) => file).toSorted()).toEqual(files)
  })

  test('are all in the README', () => {
    const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8')
    expect(files.filter((file) => !readme.includes(`[${file}](${file})`))).toEqual([])
  })

  test.for(files)('%s has at most ten lines', (file) => {
    const lines = readFileSync(join(FOLDER, file), 'utf8').split('\n')
    expect(lines.filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10)
  })
})

for (const example of EXAMPLES) {
  describe.skipIf(!example.isTestable)(`the program ${example.file}`, () => {
    describe.skipIf(!hasActivation)('under systemd-socket-activate', () => {
      test(`serves on the inherited ${example.protocol} socket, and on no other`, async () => {
        const port = await freePort()
        // Without a name, as somebody does who only tries it.
        const program = activated(example, [`[::]:${port}`])
        await serves(program, example, { port })
      })

      // node:dgram knows no other.
      if (example.protocol === 'udp') return
      test('serves on an inherited unix socket', async () => {
        const path = join(temporaryDirectory(), 'socket')
        const program = activated(example, [path, `--fdname=${example.name}`])
        await serves(program, example, { path })
      })
    })

    test('serves on its own port without a service manager', async () => {
      const port = await freePort()
      const program = new RunningProgram(process.execPath, command(example, port))
      await serves(program, example, { port })
    })
  })
}

describe.skipIf(!hasActivation).for(['cluster.js', 'worker-threads.js'])('%s', (file) => {
  const example = EXAMPLES.find((each) => each.file === file)!

  test.skipIf(!example.isTestable)('serves by all that share the inherited socket', async () => {
    const port = await freePort()
    const program = activated(example, [`[::]:${port}`])
    await program.listens()
    const answers = new Set<string>()
    // Who takes a connection is up to the kernel, and some may still be starting.
    while (answers.size < 4) {
      const all = await Promise.all(Array.from({ length: 8 }, () => example.client({ port })))
      for (const answer of all) answers.add(answer)
    }
    expect(answers.size).toBe(4)
  })
})

function activated(example: Example, [address = '', ...options]: string[]): RunningProgram {
  const kind = example.protocol === 'udp' ? ['--datagram'] : []
  const args = [...kind, '--listen', address, ...options, process.execPath, ...command(example)]
  return new RunningProgram('systemd-socket-activate', args)
}

function command({ file, isSecure, more }: Example, port?: number): string[] {
  return [copyOf(file, { more, ...(port !== undefined && { port }) })].concat(
    isSecure ? makeCertificate() : [],
  )
}

async function serves(program: RunningProgram, example: Example, place: Place): Promise<void> {
  const { protocol, client, answer } = example
  await program.listens()
  expect(await client(place)).toEqual(
    typeof answer === 'string' ? answer : expect.stringMatching(answer),
  )
  expect(program.sockets).toEqual([
    'path' in place ? `unix ${place.path}` : `${protocol} ${place.port}`,
  ])
  // srvx answers what is under way first, and ends by itself.
  expect(await program.end()).toBe(example.file === 'srvx.js' ? 0 : 'SIGTERM')
}
