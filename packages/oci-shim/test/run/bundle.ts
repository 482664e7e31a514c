import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
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

export interface BundleOptions {
  /** Of the configuration. */
  changes?: Record<string, unknown> | undefined
  /** Of the payload, as it sees itself. */
  uid?: number | undefined
  /** Of the container's files, as the host sees it: where mountpoints are made. */
  owner?: number | undefined
}

/** A bundle whose container does the steps of payload.py: this machine's programs, read-only, and nothing else. */
export function makeBundle(
  steps: readonly string[],
  { changes = {}, uid = 0, owner = 0 }: BundleOptions = {},
): string {
  const directory = temporaryDirectory()
  const rootfs = join(directory, 'rootfs')
  mkdirSync(rootfs)
  chownSync(rootfs, owner, owner)
  chmodSync(directory, 0o755)
  const bind = (path: string): object => ({
    destination: path,
    type: 'bind',
    source: path,
    options: ['rbind', 'ro'],
  })
  const config = {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid: uid },
      args: tellingStart(...payload(...steps)),
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
    },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/run', type: 'tmpfs', source: 'tmpfs' },
      ...['/usr', '/lib', '/lib64', '/bin', PAYLOAD].map((path) => bind(path)),
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
    ...changes,
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  return directory
}
