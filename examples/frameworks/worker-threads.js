import { createServer } from 'node:http'
import { isMainThread, threadId, Worker, workerData } from 'node:worker_threads'
import { listenFds } from '@sdbridge/listen-fds'

const server = createServer((request, response) => response.end(`hello from thread ${threadId}\n`))
const start = (socket) => new Worker(import.meta.filename, { workerData: socket })

if (isMainThread) {
  const [web] = listenFds()
  for (let count = web ? 4 : 1; count > 0; count--) start(web?.duplicate())
} else server.listen(workerData ?? 8080)
