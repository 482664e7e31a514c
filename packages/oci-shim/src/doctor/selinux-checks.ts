import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { type Diagnosis, hint, risk } from './diagnosis.js'

export interface SelinuxPlaces {
  readonly enforce?: string | undefined
  readonly auditLog?: string | undefined
}

/** At most this much of the log's end is read. */
const TAIL_BYTES = 1024 * 1024

/** Looks for denials that have to do with container sockets, where SELinux is enforced. */
export function checkSelinux({
  enforce = '/sys/fs/selinux/enforce',
  auditLog = '/var/log/audit/audit.log',
}: SelinuxPlaces): Diagnosis[] {
  if (textOf(enforce)?.trim() !== '1') return []
  const log = tailOf(auditLog)
  if (log === undefined)
    return [
      hint(
        'selinux',
        `SELinux is enforced, and its log (${auditLog}) cannot be read`,
        'run this as root, or: ausearch -m avc -ts recent | grep notify',
      ),
    ]
  const denials = findDenials(log)
  const last = denials.at(-1)
  if (last === undefined) return []
  return [
    risk(
      'selinux-denial',
      `SELinux has denied a container the notification socket (${denials.length} times; the last: ${last})`,
      'chcon --recursive --type container_file_t the directory, or a rule by: ausearch -m avc -ts recent | audit2allow -M sdbridge',
    ),
  ]
}

/** Those of a container's process, at a notification socket or its directory. */
export function findDenials(log: string): string[] {
  return log.split('\n').flatMap((line) => {
    const isDenial = /\bavc: +denied\b/.test(line) && /scontext=\S*:container\w*_t\b/.test(line)
    const isOurs = /\b(?:name|path)="(?:[^"]*\/)?(?:notify\.sock|notify|sdbridge)"/.test(line)
    const said = /denied +(\{[^}]*\}).*\btclass=(\w+)/.exec(line)
    return isDenial && isOurs && said !== null ? [`${said[1]!} ${said[2]!}`] : []
  })
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function tailOf(path: string): string | undefined {
  let fd
  try {
    fd = openSync(path, 'r')
  } catch {
    return undefined
  }
  try {
    const from = Math.max(0, fstatSync(fd).size - TAIL_BYTES)
    const buffer = Buffer.alloc(TAIL_BYTES)
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, TAIL_BYTES, from))
  } finally {
    closeSync(fd)
  }
}
