// What `sdbridge daemon` is made of, with so many containers, and nobody to ask about their units: daemon.js DIRECTORY COUNT [store]. It speaks in its own
// name, so that its processor time is found by whom messages are from.
import { join } from 'node:path'
import { createServer } from 'node:net'
import { cgroupsOf } from '../../../packages/oci-shim/dist/cgroups/process-cgroups.js'
import { Containers } from '../../../packages/oci-shim/dist/daemon/containers.js'
// All of its code, though not all of it is called.
import '../../../packages/oci-shim/dist/daemon/daemon.js'
import { ManagerWay } from '../../../packages/oci-shim/dist/daemon/manager-way.js'
import { createMetricsServer } from '../../../packages/oci-shim/dist/daemon/serve-metrics.js'
import { SocketStore } from '../../../packages/oci-shim/dist/daemon/socket-store.js'

const [directory = '', count = '', store = ''] = process.argv.slice(2)
const containers = new Containers({
  places: {
    notifyBase: join(directory, 'notify'),
    runtime: join(directory, 'runtime'),
    allowList: join(directory, 'units'),
    metrics: join(directory, 'metrics.sock'),
  },
  way: new ManagerWay(process.env['NOTIFY_SOCKET'] ?? ''),
  store: new SocketStore(store === '' ? 0 : Infinity),
  onEvent: () => {},
  tell: (text) => process.stderr.write(`${text}\n`),
  removeContainerOf: () => {},
})
const [cgroup = ''] = cgroupsOf('self')
for (let number = 0; number < Number(count); number++) {
  await containers.register(
    {
      command: 'register',
      name: `c${number}`,
      container: { id: 'f'.repeat(63) + (number % 10), engine: 'runc' },
    },
    {
      unit: `web@${number}.service`,
      mainPid: process.pid,
      invocation: 'f'.repeat(32),
      cgroup,
      hasStore: false,
    },
    'cgroup',
  )
}
createMetricsServer(() => containers.list()).listen(join(directory, 'metrics.sock'))
createServer().listen(join(directory, 'control.sock'), () => process.stdout.write('ready\n'))
process.once('SIGTERM', () => process.exit(0))
