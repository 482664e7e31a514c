import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../run/program-file.js'
import { parseWords } from './parse-words.js'
import { serviceUnit, socketUnit, type UnitEngine, type UnitFacts } from './unit-file.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge unit [options] IMAGE [ARGUMENT...]
       sdbridge unit [options] BUNDLE

Prints a unit that runs a container under sdbridge, ready to install, with absolute paths and the
reason of each setting.

  sdbridge unit registry.example/web:1 > /etc/systemd/system/web.service
  systemctl daemon-reload && systemctl enable --now web

Options:
  --engine ENGINE  docker, podman, runc or crun; default: runc for a directory with a config.json,
                   otherwise docker
  --name NAME      the unit's and the container's name; default: the image's or the bundle's
  --socket ADDR    listen on this, as ListenStream= says it: 8080, 127.0.0.1:8080, /run/web.sock; may
                   be repeated. The payload gets the sockets by LISTEN_FDS. docker needs sdbridge
                   runtime install --docker for it
  --only PART      service or socket: with --socket, print this one of the two
  --systemd        for an image or a bundle whose first process is systemd
  --user           for the service manager of a user
  --help           show this text

Exit status: 0; 2 for a mistake on the command line; 127 if the engine is not found.
`

/** `sdbridge unit`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [image, ...payload] = rest
  if (image === undefined || image === '') throw new UsageError('expected an image or a bundle')
  const engine = engineOf(values.engine, image)
  const isRuntime = engine === 'runc' || engine === 'crun'
  if (isRuntime) checkBundle(image, payload)
  else if (image.startsWith('-')) throw new UsageError(`'${image}' is no name of an image`)
  const sockets = values.socket ?? []
  for (const each of sockets) checkSocket(each)
  if (sockets.length > 0 && engine === 'docker' && values.user === true)
    throw new UsageError(
      '--socket: a rootless docker has no way to pass sockets on; take --engine podman',
    )
  const only = partOf(values.only, sockets)
  const name = nameOf(values.name ?? defaultName(image))

  const program = findProgram(engine, process.env)
  if (program === undefined) {
    process.stderr.write(`sdbridge: ${engine} is not installed, or not in PATH\n`)
    return 127
  }
  const facts: UnitFacts = {
    engine,
    name,
    image: isRuntime ? resolve(image) : image,
    args: payload,
    sockets,
    user: values.user === true,
    systemd: values.systemd === true,
    node: process.execPath,
    script: fileURLToPath(new URL('../../bin/sdbridge.js', import.meta.url)),
    program,
  }
  const parts = [
    ...(only === 'socket' ? [] : [serviceUnit(facts)]),
    ...(only === 'service' ? [] : [socketUnit(facts) ?? []].flat()),
  ]
  process.stdout.write(parts.join('\n'))
  return 0
}

const OPTIONS = {
  engine: { type: 'string' },
  name: { type: 'string' },
  socket: { type: 'string', multiple: true },
  only: { type: 'string' },
  systemd: { type: 'boolean' },
  user: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const ENGINES: readonly UnitEngine[] = ['docker', 'podman', 'runc', 'crun']

function engineOf(text: string | undefined, image: string): UnitEngine {
  if (text === undefined) return existsSync(join(image, 'config.json')) ? 'runc' : 'docker'
  const engine = ENGINES.find((each) => each === text)
  if (engine === undefined)
    throw new UsageError(`--engine must be ${ENGINES.join(', ')}, not '${text}'`)
  return engine
}

function checkBundle(path: string, payload: readonly string[]): void {
  if (!existsSync(join(path, 'config.json')))
    throw new UsageError(`expected a bundle, found no ${join(path, 'config.json')}`)
  const [word] = payload
  if (word !== undefined)
    throw new UsageError(`a bundle's config.json has the arguments; found '${word}' too`)
}

function checkSocket(address: string): void {
  if (/^(?:\d{1,5}|\S+:\d{1,5}|[/@]\S+)$/.test(address)) return
  throw new UsageError(`--socket must be as ListenStream= says it, not '${address}'`)
}

function partOf(
  text: string | undefined,
  sockets: readonly string[],
): 'service' | 'socket' | undefined {
  if (text === undefined || text === 'service') return text
  if (text !== 'socket') throw new UsageError(`--only must be service or socket, not '${text}'`)
  if (sockets.length === 0) throw new UsageError('--only socket: there is no --socket')
  return text
}

/** `registry.example:5000/team/web:1.2@sha256:…` is `web`. */
function defaultName(image: string): string {
  return (basename(resolve('/', image)).split(/[:@]/)[0] ?? '').replaceAll(/[^\w.-]/g, '-')
}

function nameOf(text: string): string {
  const name = text.replace(/\.service$/, '')
  // A template has no container of its own name, and the name is also the container's.
  if (/^[A-Za-z0-9][\w.:-]{0,199}$/.test(name)) return name
  throw new UsageError(`--name must be a unit's name such as web, not '${text}'`)
}
