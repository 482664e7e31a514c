// Bridges containers by the parts of `sdbridge daemon`, where there is no systemd to ask: bridge-containers.mjs DIRECTORY CGROUP
//
// It is started as a unit is, with $NOTIFY_SOCKET and what it has stored. A line `PID NAME …` of its input registers containers whose unit has this main
// process, and is answered; SIGTERM ends it as `systemctl stop` does.
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { Containers } from '../../dist/daemon/containers.js'
import { takeInheritedSockets } from '../../dist/daemon/inherited-sockets.js'
import { ManagerWay } from '../../dist/daemon/manager-way.js'
import { SocketStore } from '../../dist/daemon/socket-store.js'

const [directory = '', cgroup = ''] = process.argv.slice(2)
const places = {
  notifyBase: join(directory, 'notify'),
  runtime: join(directory, 'runtime'),
  allowList: join(directory, 'units'),
  metrics: join(directory, 'metrics.sock'),
}
const tell = (text) => process.stderr.write(`${text}\n`)
// Whoever starts it cannot know its number before.
if (process.env.LISTEN_FDS !== undefined) process.env.LISTEN_PID = `${process.pid}`

const { stored } = takeInheritedSockets(places, tell)
const containers = new Containers({
  ...{ places, tell },
  way: new ManagerWay(process.env.NOTIFY_SOCKET),
  store: new SocketStore(4096),
  onEvent: ({ event, name, text }) => {
    if (event === 'dropped' || event === 'unregistered') tell(`${name}: ${event}: ${text}`)
  },
  removeContainerOf: tell,
})
process.on('SIGTERM', () => {
  containers.close()
  process.exit()
})
await containers.restore(stored)
process.stdout.write(`bridges ${containers.size}\n`)

for await (const line of createInterface(process.stdin)) {
  const [pid, ...names] = line.split(' ')
  const facts = { invocation: '', mainPid: Number(pid), cgroup, hasStore: true }
  for (const name of names)
    await containers.register(
      { command: 'register', name, container: { id: name, engine: 'runc' } },
      { ...facts, unit: `of-${pid}.service` },
      'cgroup',
    )
  process.stdout.write(`bridges ${containers.size}\n`)
}
