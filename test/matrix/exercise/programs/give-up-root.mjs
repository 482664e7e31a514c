// Becomes another user while the threads of the addon run. The C library changes the user of each thread by a
// signal of its own, and would wait for ever for one that has it blocked.
import { openSync } from 'node:fs'
import { closeForeignFds, DatagramSocket } from '@sdbridge/syscalls'

const address = { family: 'unix', abstract: Buffer.from(`give-up-root-${process.pid}`) }
const socket = new DatagramSocket('unix')
socket.bind(address)
socket.receive({
  onMessages: ([{ sender }]) => {
    process.stdout.write(`received from ${sender.uid}\n`)
    socket.close()
  },
  onError: (error) => {
    throw error
  },
})
closeForeignFds([openSync('/dev/null')])
process.setgroups([])
process.setgid(65_534)
process.setuid(65_534)
new DatagramSocket('unix').trySend(Buffer.from('x'), { address })
