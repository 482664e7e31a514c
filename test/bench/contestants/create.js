// Makes one container after the other: for each line of JSON, { runtime, verb, sdbridge, asks }, it answers with one, { time } in nanoseconds of
// the runtime's call, or { problem }. A container that asks gets a socket from a broker, which is here.
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const BUNDLE = '/srv/wait'
const CONFIG = `${BUNDLE}/config.json`
const original = readFileSync(CONFIG, 'utf8')
const cgroup = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await measure(JSON.parse(line)))}\n`)
}

/** @param {{ runtime: string, verb: 'create' | 'state', sdbridge: string, asks: boolean }} order */
async function measure({ runtime, verb, sdbridge, asks }) {
  const end = asks ? await offer(sdbridge) : undefined
  const create = [runtime, 'create', '--bundle', BUNDLE, 'bench']
  const created = verb === 'create' ? undefined : await timed(create)
  const outcome =
    created?.problem === undefined
      ? await timed(verb === 'create' ? create : [runtime, verb, 'bench'])
      : created
  spawnSync('runc', ['delete', '--force', 'bench'])
  end?.()
  writeFileSync(CONFIG, original)
  return outcome
}

/** @param {string} sdbridge the folder of its package */
async function offer(sdbridge) {
  const { DescriptorBroker } = await import(`${sdbridge}/dist/broker/descriptor-broker.js`)
  const { bindSocket, closeFd } = await import(`${sdbridge}/../syscalls/dist/index.js`)
  const id = randomBytes(16).toString('hex')
  const path = `/run/bench-${id}`
  const fd = bindSocket({
    type: 'stream',
    address: { family: 'inet', address: '127.0.0.1', port: 0 },
  })
  const broker = new DescriptorBroker({
    path,
    id,
    rule: { unitCgroup: cgroup, engineUnits: [] },
    fds: [fd],
    names: ['web'],
    onHandedOver: () => {},
    onRefused: (/** @type {string} */ reason) => process.stderr.write(`${reason}\n`),
  })
  const config = JSON.parse(original)
  config.annotations = { 'io.sdbridge.descriptors': `${id}@${path}` }
  writeFileSync(CONFIG, JSON.stringify(config))
  return () => {
    broker.close()
    closeFd(fd)
  }
}

/** @param {string[]} words */
async function timed([file = '', ...args]) {
  const start = process.hrtime.bigint()
  // Its standard streams become the container's, which outlives it.
  const child = spawn(file, args, { stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  const time = Number(process.hrtime.bigint() - start)
  return code === 0 ? { time } : { problem: `ended with ${code}` }
}
