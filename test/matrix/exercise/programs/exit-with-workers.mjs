import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const file = new URL('live-sockets.mjs', import.meta.url)
const workers = Array.from({ length: 4 }, async () => {
  await once(new Worker(file, { workerData: { state: 'idle' } }), 'message')
})
await Promise.all(workers)
process.exit(9)
