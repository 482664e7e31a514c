import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { bindSocket, closeFd } from '@sdbridge/syscalls'
import { expect, onTestFinished, test } from 'vitest'

test('looking at a socket does not keep Node from resolving symbolic links', () => {
  const address = { family: 'inet', address: '127.0.0.1', port: 0 } as const
  const socket = bindSocket({ type: 'stream', address })
  onTestFinished(() => closeFd(socket))
  // In a checkout the dependency of another package is behind a symbolic link, and has one of its own beside it.
  const source = `
    import { createRequire } from 'node:module'
    import { listenFds } from '@sdbridge/listen-fds'
    const require = createRequire(${JSON.stringify(fileURLToPath(new URL('../../notify/package.json', import.meta.url)))})
    const [{ kind }] = listenFds()
    require('debug')
    console.log(kind)`
  const shell = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --input-type=module --eval "$1"'
  const printed = execFileSync('/bin/sh', ['-c', shell, process.execPath, source], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit', socket],
    encoding: 'utf8',
  })
  expect(printed).toBe('tcp-listener\n')
})
