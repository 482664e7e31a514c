import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'
import { H3, toNodeHandler } from 'h3'

const app = new H3()
app.get('/', () => 'hello from h3\n')

await listenOrBind(createServer(toNodeHandler(app)), { name: 'web', fallback: 8080 })
