import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tellingStart } from './start-state.js'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'

const PAYLOAD = fileURLToPath(new URL('payload.py', import.meta.url))

/** The words of payload.py with its steps, inside a container or outside. */
export const payload = (...steps: string[]): string[] => [
  '/usr/bin/python3',
  '-ISu',
  PAYLOAD,
  ...steps,
]

/** A bundle whose container does the steps of payload.py: this machine's programs, read-only, and nothing else. */
export function makeBundle(
  steps: readonly string[],
  changes: Record<string, unknown> = {},
): string {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'rootfs'))
  const bind = (path: string): object => ({
    destination: path,
    type: 'bind',
    source: path,
    options: ['rbind', 'ro'],
  })
  const config = {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args: tellingStart(...payload(...steps)),
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
    },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/run', type: 'tmpfs', source: 'tmpfs' },
      ...['/usr', '/lib', '/lib64', '/bin', PAYLOAD].map((path) => bind(path)),
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
    ...changes,
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  return directory
}
