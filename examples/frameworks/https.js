import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { listenOrBind } from '@sdbridge/listen-fds'

const [key, cert] = process.argv.slice(2).map((file) => readFileSync(file))
const server = createServer({ key, cert }, (request, response) => {
  response.end('hello from node:https\n')
})

await listenOrBind(server, { name: 'web', fallback: 8080 })
