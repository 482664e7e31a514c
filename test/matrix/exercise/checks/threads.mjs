import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { pairOf } from '../inbox.mjs'
import { program, run, until } from '../runtime.mjs'

export const threads = {
  async 'Workers that are terminated with live sockets leave nothing behind'(scope) {
    const { here, there, thereAddress } = pairOf(scope)
    // The first Worker makes what stays: threads of the runtime.
    await endWorkers(1)
    const before = descriptors().length
    await endWorkers(8)
    await until(() => descriptors().length <= before)
    here.socket.trySend(Buffer.from('still'), { address: thereAddress })
    assert.equal(String((await there.next()).data), 'still')
  },

  async 'a process that exits ends, although Workers receive'() {
    const { code, signal, stderr } = await run('exit-with-workers.mjs')
    assert.deepEqual({ code, signal, stderr }, { code: 9, signal: null, stderr: '' })
  },

  async 'a process that waits gives up root, in all of its threads'() {
    const { code, stdout, stderr } = await run('give-up-root.mjs')
    assert.deepEqual([code, stdout, stderr], [0, 'received from 65534\n', ''])
  },
}

async function endWorkers(count) {
  const states = ['idle', 'unread', 'waiting for room', 'busy']
  const workers = Array.from({ length: count }, async (_, index) => {
    const worker = new Worker(program('live-sockets.mjs'), {
      workerData: { state: states[index % states.length] },
    })
    await once(worker, 'message')
    await worker.terminate()
  })
  await Promise.all(workers)
}

function descriptors() {
  return readdirSync('/proc/self/fd')
}
