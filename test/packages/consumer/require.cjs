// A CommonJS program, as there are many: require() of ES modules, which Node 20.19 and later can do.
const assert = require('node:assert/strict')
const { listenFds } = require('@sdbridge/listen-fds')
const { Service } = require('@sdbridge/manager')
const { notify } = require('@sdbridge/notify')
const { NotifyReceiver } = require('@sdbridge/notify/receiver')
const { parseMessage } = require('@sdbridge/notify/relay')
const { unixDgram } = require('@sdbridge/notify/unix-dgram')
const { FIELD_RULES, NotifyProxy } = require('@sdbridge/oci-shim')
const { closeFd, pipe } = require('@sdbridge/syscalls')

const receiver = new NotifyReceiver({
  onNotification: ({ assignments }) => {
    assert.equal(assignments.ready, true)
    receiver.close()
    process.stdout.write('received\n')
  },
})
Object.values(pipe()).forEach(closeFd)
assert.deepEqual(listenFds(), [])
assert.equal(parseMessage(Buffer.from('READY=1')).assignments.ready, true)
assert.equal(typeof Service, 'function')
assert.equal(typeof NotifyProxy, 'function')
assert.equal(FIELD_RULES.ready.forward, 'always')
assert.equal(unixDgram().name, 'unix-dgram')
void notify({ ready: true }, { env: { NOTIFY_SOCKET: receiver.address } })
