import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { works } from '../support/real-program.js'
import { type Example, REPOSITORY } from './examples.js'

type UnitText = Pick<Example, 'code'>

/** Whether it is a unit file of systemd, and not one of podman's, which test/system checks. */
export function isUnitFile({ code }: UnitText): boolean {
  return !/^# \S+\.container$/m.test(code)
}

/** Whether there is a `systemd-analyze`; says why tests are skipped if not. */
export const CAN_VERIFY: boolean = works('systemd-analyze', '--version')

/**
 * What `systemd-analyze verify` has to say about a unit file of the documentation; nothing, if all is well. Its name is in a
 * comment in its first line, and without one it is `app.service`; the page's other units lie beside it.
 */
export async function complaintsAbout(unit: UnitText, page: readonly UnitText[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sdbridge-docs-units-'))
  try {
    const companions = page.filter((other) => nameOf(other) !== nameOf(unit))
    for (const each of [...companions.toReversed(), unit]) write(folder, nameOf(each), each.code)
    for (const name of OF_OTHERS) write(folder, name, '[Service]\nExecStart=/bin/true\n')
    const main = nameOf(unit).replace(/\.d\/.*$/, '')
    // A drop-in has its unit elsewhere.
    if (main !== nameOf(unit) && !companions.some((other) => nameOf(other) === main)) {
      write(folder, main, '[Service]\nExecStart=/usr/bin/node server.js\n')
    }
    return await verify(folder, join(folder, main))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const SDBRIDGE = join(REPOSITORY, 'packages/oci-shim/bin/sdbridge.js')
/** What units of ours require, and need not be installed. */
const OF_OTHERS = ['docker.service']

/** What came with which systemd: on an older one the rest of the unit is verified without it. */
const NEWER: readonly { since: number; text: RegExp; instead: string }[] = [
  { since: 253, text: /^Type=notify-reload$/gm, instead: 'Type=notify' },
  { since: 253, text: /^OpenFile=.*$/gm, instead: '' },
  { since: 254, text: /^FileDescriptorStorePreserve=.*$/gm, instead: '' },
]

function nameOf({ code }: UnitText): string {
  return (
    /^# (?:\/etc\/systemd\/system\/|~\/\.config\/systemd\/user\/)?(\S+\.(?:service|socket|conf))$/m.exec(
      code,
    )?.[1] ?? 'app.service'
  )
}

function write(folder: string, name: string, code: string): void {
  const version = systemdVersion()
  const known = NEWER.filter(({ since }) => version < since).reduce(
    (text, { text: newer, instead }) => text.replaceAll(newer, instead),
    // They are looked for, and may be elsewhere on the machine that tests.
    code
      .replaceAll('/usr/bin/node', process.execPath)
      .replaceAll('/usr/bin/sdbridge', SDBRIDGE)
      .replaceAll('=/usr/bin/docker ', '=/bin/true '),
  )
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), known)
}

function systemdVersion(): number {
  const text = execFileSync('systemd-analyze', ['--version'], { encoding: 'utf8' })
  return Number(/^systemd (\d+)/.exec(text)?.[1])
}

async function verify(folder: string, file: string): Promise<string> {
  const env = { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` }
  const args = ['--man=no', 'verify', file]
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', args, { env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  )
  // It also reads units of the machine that tests, which are not ours to judge.
  return `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line.includes(folder) || /^(?:app|web)\./.test(line))
    .join('\n')
    .replaceAll(`${folder}/`, '')
}
