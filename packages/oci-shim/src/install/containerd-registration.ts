import { dirname, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parse, type TomlTable, type TomlValue } from 'smol-toml'
import { BridgeError } from '../run/bridge-error.js'
import { dropIn, withoutDropIn } from './drop-in.js'
import { type FileChange, readTextFile } from './file-change.js'
import { foreignEntry, type Registration, type RegistrationToUndo } from './registration.js'

/**
 * Names a runtime to containerd's CRI plugin, for Kubernetes: `ctr run --runc-binary` and `nerdctl --runtime` take a launcher by its path.
 *
 * A configuration of version 3 that imports a directory gets a file there. Any other gets a block at its end: what an imported file says of a plugin
 * takes the place of all that the configuration says of it, for containerd 1.
 *
 * @throws BridgeError if the file cannot be understood, or has another runtime of that name.
 */
export function registerInContainerd(registration: Registration): FileChange {
  const { name, file } = registration
  const before = readTextFile(file)
  if (before === undefined)
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `expected containerd's configuration at ${file}, found none: write it (containerd config default >${file}), or give --containerd-config`,
    )
  const own = blockIn(before, name)
  const others = own === undefined ? before : before.replace(own, '')
  const config = parsed(file, others)
  const version = versionOf(file, config)
  const plugin = PLUGINS[version]
  if (runtimesOf(config, plugin)[name] !== undefined) throw foreignEntry(file, `a runtime ${name}`)
  const text = entryOf(
    registration,
    plugin,
    usesSystemd(runtimesOf(config, plugin), config, plugin),
  )
  const directory = version === 2 || own !== undefined ? undefined : importedDirectory(file, config)
  if (directory !== undefined)
    return dropIn(join(directory, `${name}.toml`), `version = ${version}\n${text}`)
  const block = `${beginOf(name)}${text}${endOf(name)}`
  const after = before === others ? before + block : before.replace(own!, () => block)
  checkMerged(file, { config, after, name, plugin })
  return { file, before, after }
}

/** Takes it out again. */
export function unregisterFromContainerd({
  name,
  file,
}: Omit<RegistrationToUndo, 'directory'>): FileChange | undefined {
  const before = readTextFile(file)
  if (before === undefined) return undefined
  const own = blockIn(before, name)
  if (own !== undefined) return { file, before, after: before.replace(own, '') }
  const directory = containerdDropIns(file)
  return directory === undefined ? undefined : withoutDropIn(join(directory, `${name}.toml`))
}

/** The directory of which containerd's configuration imports all files; `undefined` if there is none. */
export function containerdDropIns(file: string): string | undefined {
  const text = readTextFile(file)
  return text === undefined ? undefined : importedDirectory(file, parsed(file, text))
}

/** The CRI plugin, by the version of the configuration. */
const PLUGINS = { 2: 'io.containerd.grpc.v1.cri', 3: 'io.containerd.cri.v1.runtime' } as const

function versionOf(file: string, { version = 1 }: TomlTable): keyof typeof PLUGINS {
  if (version === 2 || version === 3) return version
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${file}: expected version = 2 or version = 3, found ${JSON.stringify(version)}: containerd config migrate prints a newer one`,
  )
}

function runtimesOf(config: TomlTable, plugin: string): TomlTable {
  return tableIn(containerdOf(config, plugin)['runtimes'])
}

function containerdOf(config: TomlTable, plugin: string): TomlTable {
  return tableIn(tableIn(tableIn(config['plugins'])[plugin])['containerd'])
}

// All containers of a node have one cgroup driver, which is the kubelet's.
function usesSystemd(runtimes: TomlTable, config: TomlTable, plugin: string): boolean {
  const given = containerdOf(config, plugin)['default_runtime_name']
  const name = typeof given === 'string' ? given : 'runc'
  return tableIn(tableIn(runtimes[name])['options'])['SystemdCgroup'] === true
}

function entryOf({ name, launcher }: Registration, plugin: string, isSystemd: boolean): string {
  const table = `plugins."${plugin}".containerd.runtimes.${name}`
  return `[${table}]
runtime_type = "io.containerd.runc.v2"
container_annotations = ["io.sdbridge.*"]
pod_annotations = ["io.sdbridge.*"]
[${table}.options]
BinaryName = ${JSON.stringify(launcher)}
${isSystemd ? 'SystemdCgroup = true\n' : ''}`
}

function importedDirectory(file: string, { imports }: TomlTable): string | undefined {
  const patterns = Array.isArray(imports) ? imports : []
  const found = patterns.find(
    (each) => typeof each === 'string' && /^[^*?[]+\/\*\.toml$/.test(each),
  )
  return typeof found === 'string' ? resolve(dirname(file), dirname(found)) : undefined
}

// With the line feed in front, the block is taken out to the byte whether or not the file ended with one.
function beginOf(name: string): string {
  return `\n# sdbridge runtime install --name ${name}: from here\n`
}

function endOf(name: string): string {
  return `# sdbridge runtime install --name ${name}: to here\n`
}

function blockIn(text: string, name: string): string | undefined {
  const start = text.indexOf(beginOf(name))
  const end = text.indexOf(endOf(name), start)
  return start === -1 || end === -1 ? undefined : text.slice(start, end + endOf(name).length)
}

/** A table may stand at the end only if what it is part of is written as tables. */
function checkMerged(
  file: string,
  {
    config,
    after,
    name,
    plugin,
  }: { config: TomlTable; after: string; name: string; plugin: string },
): void {
  const merged = parsed(file, after)
  delete runtimesOf(merged, plugin)[name]
  if (isDeepStrictEqual(withoutEmpty(merged), withoutEmpty(config))) return
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${file}: a runtime cannot be added without a change of the others: add it by hand`,
  )
}

// What is around the runtime comes with it.
function withoutEmpty(value: TomlValue): TomlValue {
  if (!isTable(value)) return value
  const entries = Object.entries(value).map(([key, each]) => [key, withoutEmpty(each)] as const)
  return Object.fromEntries(
    entries.filter(([, each]) => !isTable(each) || Object.keys(each).length > 0),
  )
}

function parsed(file: string, text: string): TomlTable {
  try {
    return parse(text, { integersAsBigInt: 'asNeeded' })
  } catch (error) {
    const [why = ''] = (error as Error).message.split('\n')
    throw new BridgeError('ERR_BRIDGE_FAILED', `${file} cannot be read as TOML: ${why}`)
  }
}

function tableIn(value: TomlValue | undefined): TomlTable {
  return isTable(value) ? value : {}
}

function isTable(value: TomlValue | undefined): value is TomlTable {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  )
}
