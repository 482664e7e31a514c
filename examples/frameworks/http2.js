import { readFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { listenOrBind } from '@sdbridge/listen-fds'

const [key, cert] = process.argv.slice(2).map((file) => readFileSync(file))
const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
  response.end(`hello over HTTP/${request.httpVersion}\n`)
})

await listenOrBind(server, { name: 'web', fallback: 8080 })
