import { createAdaptorServer } from '@hono/node-server'
import { listenOrBind } from '@sdbridge/listen-fds'
import { Hono } from 'hono'

const app = new Hono()
app.get('/', (context) => context.text('hello from hono\n'))

await listenOrBind(createAdaptorServer(app), { name: 'web', fallback: 8080 })
