import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'
import Koa from 'koa'

const app = new Koa()
app.use((context) => (context.body = 'hello from koa\n'))

await listenOrBind(createServer(app.callback()), { name: 'web', fallback: 8080 })
