import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What waits for clients in a process: `tcp 8080`, `udp 8080` or `unix /run/web.sock`, sorted. */
export function openSockets(pid: number): readonly string[] {
  const inodes = new Set(socketInodes(pid))
  const all = [...inetSockets('tcp'), ...inetSockets('udp'), ...unixSockets()]
  return all.flatMap(({ inode, place }) => (inodes.has(inode) ? [place] : [])).toSorted()
}

interface OpenSocket {
  inode: string
  place: string
}

function socketInodes(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${fd}`))?.[1] ?? []
    } catch {
      return [] // Closed meanwhile.
    }
  })
}

// Of TCP those that listen, of UDP those that have no peer.
function inetSockets(protocol: 'tcp' | 'udp'): OpenSocket[] {
  const state = protocol === 'tcp' ? '0A' : '07'
  return ['', '6'].flatMap((version) =>
    rows(`/proc/net/${protocol}${version}`).flatMap(([, local = '', , found, , , , , , inode]) =>
      found === state && inode !== undefined
        ? [{ inode, place: `${protocol} ${Number.parseInt(local.split(':').at(-1)!, 16)}` }]
        : [],
    ),
  )
}

function unixSockets(): OpenSocket[] {
  const listening = '00010000'
  return rows('/proc/net/unix').flatMap(([, , , flags, , , inode, path]) =>
    flags === listening && inode !== undefined ? [{ inode, place: `unix ${path}` }] : [],
  )
}

function rows(file: string): string[][] {
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1)
  return lines.map((line) => line.trim().split(/\s+/))
}
