import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { askHttp } from './client.js'
import { Program } from './program.js'
import { socketPath, tcp, unix } from './sockets.js'

const CLUSTER = fileURLToPath(new URL('fixtures/cluster.mjs', import.meta.url))

describe('workers of a cluster', () => {
  test('share the TCP socket that was passed to the primary process', async () => {
    const { fd, port } = tcp()
    const program = cluster({ workers: 2, name: 'web' }, [fd])
    const listening = { own: 0, inherited: true, address: `127.0.0.1:${port}` }
    expect(await program.said()).toEqual(listening)
    expect(await program.said()).toEqual(listening)
    const answers = new Set<string>()
    for (let count = 0; count < 6; count++) answers.add(await askHttp({ port }))
    expect(answers.size).toBe(2)
  })

  test('share a unix socket', async () => {
    const path = socketPath()
    const program = cluster({ workers: 2, name: 'web' }, [unix('stream', path).fd])
    const listening = { own: 0, inherited: true }
    expect([await program.said(), await program.said()]).toEqual([listening, listening])
    expect(await askHttp({ socketPath: path })).toMatch(/^\d+$/)
  })

  test('fall back together where nothing was passed', async () => {
    const program = cluster({ workers: 2, name: 'web' })
    const [first, second] = [await program.said(), await program.said()]
    expect(first).toMatchObject({ own: 0, inherited: false })
    expect(second).toEqual(first)
  })

  test('fall back where another name was passed', async () => {
    const program = cluster({ workers: 1, name: 'other' }, [tcp().fd])
    expect(await program.said()).toMatchObject({ own: 0, inherited: false })
  })

  test('are not told of a launcher: the primary process is where the sockets belong', async () => {
    const program = cluster({ workers: 1, name: 'web' }, [tcp().fd])
    await program.said()
    program.process.kill()
    expect(await program.stderr).toBe('')
  })
})

function cluster(settings: object, fds: readonly number[] = []): Program {
  return new Program('', { fds, names: 'web', file: CLUSTER, args: [JSON.stringify(settings)] })
}
