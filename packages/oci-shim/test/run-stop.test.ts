import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseEngineCommand } from '../dist/engines/engine-command.js'
import type { Launch } from '../dist/engines/launch.js'
import { planLaunch } from '../dist/engines/plan-launch.js'
import { Child } from '../dist/run/child-process.js'
import { ContainerStop, type ContainerStopOptions } from '../dist/run/container-stop.js'
import { OwnContainer } from '../dist/run/own-container.js'
import { bridgeFacts } from './engines-facts.js'

test('what hangs in a container that was there before its unit is stopped, and the container stays', async () => {
  const { launch, said } = await scriptedDocker('start web')
  await (await stopOf(launch)).kill()
  expect(said()).toEqual(['stop -t 0 web'])
})

test('what hangs in a container of the unit’s own goes with it', async () => {
  const { launch, said } = await scriptedDocker('run --name web image')
  const stop = await stopOf(launch)
  const id = 'd'.repeat(64)
  writeFileSync(launch.container.idFile!, id)
  await stop.kill()
  expect(said()).toEqual([`rm --force ${id}`])
})

test('a container that is deaf to its stop, and to SIGKILL, is not removed if it was there before', async () => {
  const { launch, said } = await scriptedDocker('start web')
  await (await stopOf(launch)).stop('SIGTERM')
  expect(said().at(-1)).toBe('stop -t 0 web')
  expect(said().join('\n')).not.toContain('rm ')
}, 60_000)

test.each([
  ['its container has ended', 60],
  ['the time of its container is over', 1],
])(
  'a client that hangs with its daemon is gone when %s',
  async (_, graceSec) => {
    const pidFile = join(temporaryDirectory(), 'pid')
    const { launch } = await scriptedDocker(
      'start web',
      `if [ "$1 $3" != 'stop 0' ]; then echo $$ > ${pidFile}; exec sleep 600; fi`,
    )
    let end: (() => void) | undefined
    const stop = await stopOf(launch, {
      graceSec,
      ended: new Promise<void>((resolve) => (end = resolve)),
    })
    void stop.stop('SIGTERM')
    const pid = await vi.waitFor(() => pidIn(pidFile), 10_000)
    expect(existsSync(`/proc/${pid}`)).toBe(true)
    if (graceSec === 60) end?.()
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 20_000)
    end?.()
    await stop.settled()
  },
  60_000,
)

test('what kills a container is waited for, and does not outlive it for long', async () => {
  const pidFile = join(temporaryDirectory(), 'pid')
  const { launch } = await scriptedDocker(
    'run --name web image',
    `echo $$ > ${pidFile}; exec sleep 600`,
  )
  let end: (() => void) | undefined
  const stop = await stopOf(launch, { ended: new Promise<void>((resolve) => (end = resolve)) })
  writeFileSync(launch.container.idFile!, 'd'.repeat(64))
  void stop.kill()
  const pid = await vi.waitFor(() => pidIn(pidFile), 10_000)
  end?.()
  await stop.settled()
  expect(existsSync(`/proc/${pid}`)).toBe(false)
}, 60_000)

/** A launch by a program that does nothing but note what it is told: which words those are is what is tested. */
async function scriptedDocker(
  words: string,
  script = '',
): Promise<{ launch: Launch; said: () => string[] }> {
  const directory = temporaryDirectory()
  const file = join(directory, 'docker')
  writeFileSync(file, `#!/bin/sh\necho "$@" >> ${directory}/said\n${script}\n`)
  chmodSync(file, 0o755)
  const command = parseEngineCommand([file, ...words.split(' ')])!
  return {
    launch: await planLaunch(command, bridgeFacts({ privateDirectory: directory })),
    said: () => readFileSync(join(directory, 'said'), 'utf8').trim().split('\n'),
  }
}

async function stopOf(
  launch: Launch,
  options: Partial<Pick<ContainerStopOptions, 'ended' | 'graceSec'>> = {},
): Promise<ContainerStop> {
  const { graceSec = 1, ended = new Promise<never>(() => {}) } = options
  const env = process.env
  const state = { softFileLimit: 1024, ignoredSignals: [] }
  const child = await Child.start({ file: 'sleep', args: ['60'] }, { env, fds: [], state })
  onTestFinished(() => child.kill('SIGKILL'))
  const own = new OwnContainer({ launch, env, unit: 'web.service' })
  return new ContainerStop({ own, child, env, graceSec, ended })
}

function pidIn(file: string): string {
  const pid = readFileSync(file, 'utf8').trim()
  if (pid === '') throw new Error('it is not written yet')
  return pid
}
