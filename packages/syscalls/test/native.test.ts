import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { run } from './program.js'

const packageDirectory = fileURLToPath(new URL('..', import.meta.url))

/** A copy of the built package, without its binary. */
function copyWithoutBinary(): string {
  const directory = join(temporaryDirectory(), 'syscalls')
  mkdirSync(directory)
  for (const name of ['dist', 'package.json']) {
    cpSync(join(packageDirectory, name), join(directory, name), { recursive: true })
  }
  rmSync(join(directory, 'prebuilds'), { recursive: true, force: true })
  return pathToFileURL(join(directory, 'dist', 'index.js')).href
}

test('without a binary the import works, and the first call says what is missing', async () => {
  const source = `
    const { closeForeignFds, DatagramSocket } = await import(${JSON.stringify(copyWithoutBinary())})
    closeForeignFds([])
    try {
      new DatagramSocket('unix')
    } catch (error) {
      console.log(error.code)
      console.log(error.message.split('\\n')[0])
    }`
  const outcome = await run(process.execPath, ['--input-type=module', '--eval', source])
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  const [code, message] = outcome.stdout.split('\n')
  expect(code).toBe('ERR_SYSCALLS_UNAVAILABLE')
  expect(message).toMatch(
    /has no working binary for linux-\w+: Cannot find module .*pnpm build:native/,
  )
})

test('loaded twice in one process, as test runners do, both copies receive', async () => {
  const url = pathToFileURL(join(packageDirectory, 'dist', 'index.js')).href
  // Each copy has its own watchers; the binary is the same.
  const source = `
    import { createRequire } from 'node:module'
    import { cpSync, symlinkSync } from 'node:fs'
    const copies = await Promise.all([import('${url}'), import(process.argv[1])])
    for (const { DatagramSocket, describeSocket } of copies) {
      const socket = new DatagramSocket('unix')
      socket.bind({ family: 'unix' })
      const { localAddress: address } = describeSocket(socket.fd)
      await new Promise((resolve, reject) => {
        socket.receive({ onMessages: resolve, onError: reject })
        socket.trySend(Buffer.from('x'), { address })
      })
      socket.close()
      console.log('received')
    }`
  const copy = join(temporaryDirectory(), 'syscalls')
  mkdirSync(copy)
  cpSync(join(packageDirectory, 'dist'), join(copy, 'dist'), { recursive: true })
  cpSync(join(packageDirectory, 'package.json'), join(copy, 'package.json'))
  const { symlinkSync } = await import('node:fs')
  // Node knows an addon by its real path, so both copies get the same one.
  symlinkSync(join(packageDirectory, 'prebuilds'), join(copy, 'prebuilds'))
  const copyUrl = pathToFileURL(join(copy, 'dist', 'index.js')).href
  const outcome = await run(process.execPath, ['--input-type=module', '--eval', source, copyUrl])
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'received\nreceived\n', stderr: '' })
})
