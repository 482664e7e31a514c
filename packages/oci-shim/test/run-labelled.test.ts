import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatagramSocket } from '@sdbridge/syscalls'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { removeLabelledContainers } from '../dist/run/labelled-containers.js'

test('what was left behind is removed, and what was created to be started stays', async () => {
  const { env, said } = scriptedDocker()
  await removeLabelledContainers('web.service', env)
  expect(said()).toContain('rm --force left')
  expect(said()).not.toContain('created')
})

test('a container whose bridge is at work, wherever its directory is, stays', async () => {
  const { env, said, notifyDirectory } = scriptedDocker()
  const socket = new DatagramSocket('unix')
  onTestFinished(() => socket.close())
  socket.bind({ family: 'unix', path: join(notifyDirectory, 'notify.sock') })
  await expect(removeLabelledContainers('web.service', env)).rejects.toThrow(
    'another sdbridge serves the container left',
  )
  expect(said()).not.toContain('rm --force')
})

test('what cannot be removed is an error', async () => {
  const { env } = scriptedDocker('exit 1')
  await expect(removeLabelledContainers('web.service', env)).rejects.toThrow('cannot remove')
})

/** A program that answers as docker does, where the real one would need its daemon: two containers, one of them created by a bridge. */
function scriptedDocker(removal = ''): {
  env: NodeJS.ProcessEnv
  said: () => string
  notifyDirectory: string
} {
  const directory = temporaryDirectory()
  const notifyDirectory = join(directory, 'notify')
  mkdirSync(notifyDirectory)
  writeFileSync(
    join(directory, 'docker'),
    `#!/bin/sh
echo "$@" >> ${directory}/said
case "$*" in
  ps*notify-directory*) echo created ;;
  ps*) echo left; echo created ;;
  container*) echo ${notifyDirectory} ;;
  rm*) ${removal || ':'} ;;
esac
`,
  )
  chmodSync(join(directory, 'docker'), 0o755)
  return {
    // Neither is a podman to be found by it, nor its own docker.
    env: { PATH: directory, DOCKER_HOST: 'unix:///nonexistent' },
    said: () => readFileSync(join(directory, 'said'), 'utf8'),
    notifyDirectory,
  }
}
