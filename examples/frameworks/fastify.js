import { listenOrBind } from '@sdbridge/listen-fds'
import fastify from 'fastify'

const app = fastify()
app.get('/', () => 'hello from fastify\n')

await app.ready()
await listenOrBind(app.server, { name: 'web', fallback: 8080 })
