import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseEngineCommand } from '../dist/engines/engine-command.js'
import type { Launch } from '../dist/engines/launch.js'
import { planLaunch } from '../dist/engines/plan-launch.js'
import { Child } from '../dist/run/child-process.js'
import { ContainerStop } from '../dist/run/container-stop.js'
import { OwnContainer } from '../dist/run/own-container.js'
import { bridgeFacts } from './engines-facts.js'

test('what hangs in a container that was there before its unit is stopped, and the container stays', async () => {
  const { launch, said } = await scriptedDocker('start web')
  await stopOf(launch).kill()
  expect(said()).toEqual(['stop -t 0 web'])
})

test('what hangs in a container of the unit’s own goes with it', async () => {
  const { launch, said } = await scriptedDocker('run --name web image')
  const stop = stopOf(launch)
  const id = 'd'.repeat(64)
  writeFileSync(launch.container.idFile!, id)
  await stop.kill()
  expect(said()).toEqual([`rm --force ${id}`])
})

test('a container that is deaf to its stop, and to SIGKILL, is not removed if it was there before', async () => {
  const { launch, said } = await scriptedDocker('start web')
  await stopOf(launch).stop('SIGTERM')
  expect(said().at(-1)).toBe('stop -t 0 web')
  expect(said().join('\n')).not.toContain('rm ')
}, 60_000)

/** A launch by a program that does nothing but note what it is told: which words those are is what is tested. */
async function scriptedDocker(words: string): Promise<{ launch: Launch; said: () => string[] }> {
  const directory = temporaryDirectory()
  const file = join(directory, 'docker')
  writeFileSync(file, `#!/bin/sh\necho "$@" >> ${directory}/said\n`)
  chmodSync(file, 0o755)
  const command = parseEngineCommand([file, ...words.split(' ')])!
  return {
    launch: await planLaunch(command, bridgeFacts({ privateDirectory: directory })),
    said: () => readFileSync(join(directory, 'said'), 'utf8').trim().split('\n'),
  }
}

function stopOf(launch: Launch): ContainerStop {
  const env = process.env
  const state = { softFileLimit: 1024, ignoredSignals: [] }
  const child = new Child({ file: 'sleep', args: ['60'] }, { env, fds: [], state })
  onTestFinished(() => child.kill('SIGKILL'))
  const ended = new Promise<never>(() => {})
  const own = new OwnContainer({ launch, env, unit: 'web.service' })
  return new ContainerStop({ own, child, env, graceSec: 1, ended })
}
