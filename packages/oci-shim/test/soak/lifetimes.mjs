// Private directories that are made, used and removed: lifetimes.mjs <their base>
import { join } from 'node:path'
import { DatagramSocket } from '@sdbridge/syscalls'
import { NotifyProxy } from '../../dist/index.js'
import { PrivateDirectory } from '../../dist/run/private-directory.js'
import { answer } from './answer.mjs'

const [base] = process.argv.slice(2)
let count = 0
answer(async ({ lifetimes }) => {
  for (let lifetime = 0; lifetime < lifetimes; lifetime++) await live()
})

async function live() {
  // Units of the same name, and others.
  const directory = new PrivateDirectory(join(base, `unit-${count++ % 100}.service`))
  directory.make()
  const proxy = new NotifyProxy({ path: directory.socketPath, upstream: undefined })
  const payload = new DatagramSocket('unix')
  payload.connect({ family: 'unix', path: directory.socketPath })
  payload.trySend(Buffer.from('READY=1'))
  await proxy.idle()
  if (proxy.counters.received !== 1) throw new Error('the message has not arrived')
  payload.close()
  proxy.close()
  directory.remove()
}
