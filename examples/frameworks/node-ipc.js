import { listenFds } from '@sdbridge/listen-fds'
import ipc from 'node-ipc'

const [inherited] = listenFds()

ipc.config.parser = 'guarded'
ipc.serveNet('localhost', inherited ?? 8080)
ipc.server.on('greet', (name, socket) => ipc.server.emit(socket, 'greeting', { hello: name }))
ipc.server.start()
