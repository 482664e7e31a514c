import { existsSync, mkdirSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { missingMountpoints, removeMountpoints } from '../dist/runtime/mountpoints.js'

test('mountpoints are removed, through a link to the root file system too', async () => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'real'))
  symlinkSync('real', join(directory, 'rootfs'))
  const missing = await missingMountpoints(join(directory, 'rootfs'), '/run/notify')
  mkdirSync(join(directory, 'real/run/notify'), { recursive: true })
  await removeMountpoints(missing)
  expect(existsSync(join(directory, 'real/run'))).toBe(false)
})

test('a link that the container has put in the way does not lead to the host', async () => {
  const directory = temporaryDirectory()
  const rootfs = join(directory, 'rootfs')
  mkdirSync(rootfs)
  const missing = await missingMountpoints(rootfs, '/run/notify')
  mkdirSync(join(rootfs, 'run/notify'), { recursive: true })
  mkdirSync(join(directory, 'host/notify'), { recursive: true })
  renameSync(join(rootfs, 'run'), join(rootfs, 'away'))
  symlinkSync('../host', join(rootfs, 'run'))
  await removeMountpoints(missing)
  expect(existsSync(join(directory, 'host/notify'))).toBe(true)
})

test('of a root file system that is not there, none are missing', async () => {
  expect(await missingMountpoints('/nonexistent', '/run/notify')).toEqual([])
})
