import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What runc's own `spec` writes, as far as tests change it. */
export interface SpecConfig {
  process: { args: string[]; env: string[]; terminal: boolean; [key: string]: unknown }
  root: { path: string; readonly: boolean }
  mounts: { destination: string; type?: string; source?: string; options?: string[] }[]
  linux: {
    namespaces: { type: string; path?: string }[]
    cgroupsPath?: string
    [key: string]: unknown
  }
  annotations?: Record<string, string>
  hooks?: Record<string, { path: string; args?: string[] }[]>
  [key: string]: unknown
}

/** Makes a bundle with busybox's shell in it, in the directory, and has its configuration changed. */
export function makeBundle(
  directory: string,
  script: string,
  change: (config: SpecConfig) => void = () => undefined,
): string {
  for (const file of ['/bin/busybox', ...librariesOf('/bin/busybox')]) {
    const copy = join(directory, 'rootfs', file)
    mkdirSync(dirname(copy), { recursive: true })
    copyFileSync(file, copy)
  }
  // Not every busybox finds its own programs without.
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n')
  for (const name of applets.filter((each) => !['', 'busybox'].includes(each)))
    symlinkSync('busybox', join(directory, 'rootfs', 'bin', name))
  for (const name of ['proc', 'dev', 'sys', 'tmp']) mkdirSync(join(directory, 'rootfs', name))
  execFileSync('runc', ['spec', '--bundle', directory])
  const file = join(directory, 'config.json')
  const config = JSON.parse(readFileSync(file, 'utf8')) as SpecConfig
  config.process.args = ['/bin/busybox', 'sh', '-c', script]
  config.process.terminal = false
  // What the host's network does is of no concern here.
  change(config)
  writeFileSync(file, JSON.stringify(config, null, 2))
  return directory
}

// None, if it is linked statically, as in Debian's busybox-static.
function librariesOf(program: string): string[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' })
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, file]) => file!)
}
