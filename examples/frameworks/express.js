import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'
import express from 'express'

const app = express()
app.get('/', (request, response) => response.send('hello from express\n'))

await listenOrBind(createServer(app), { name: 'web', fallback: 8080 })
