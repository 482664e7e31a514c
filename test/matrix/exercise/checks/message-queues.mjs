import assert from 'node:assert/strict'
import { openSync } from 'node:fs'
import { closeFd, isCloexec, MessageQueue } from '@sdbridge/syscalls'
import { openMessageQueue } from '../message-queue.mjs'
import { until } from '../runtime.mjs'

export const messageQueues = {
  async 'a message queue is sent to and received from, by priority'(scope) {
    let fd
    try {
      fd = await openMessageQueue({ messages: 2 })
    } catch (error) {
      // What makes one is a Python that need not be here.
      assert.deepEqual([error.code, error.syscall], ['ENOENT', 'spawn python3'])
      return
    }
    const queue = scope.closing(new MessageQueue(fd))
    assert.equal(isCloexec(fd), true)
    assert.deepEqual(queue.attributes, { maxMessages: 2, messageBytes: 64, currentMessages: 0 })
    assert.equal(queue.trySend(Buffer.from('low')), true)
    assert.equal(queue.trySend(Buffer.from('high'), { priority: 9 }), true)
    assert.equal(queue.trySend(Buffer.from('full')), false)
    const messages = []
    let hasRoom = false
    queue.onceWritable(() => (hasRoom = true))
    queue.receive({ onMessages: (batch) => messages.push(...batch), onError: assert.ifError })
    await until(() => messages.length === 2 && hasRoom)
    assert.deepEqual(
      messages.map(({ data, priority }) => `${data} ${priority}`),
      ['high 9', 'low 0'],
    )
  },

  'what is no message queue is refused'(scope) {
    const fd = openSync('/dev/null')
    scope.after(() => closeFd(fd))
    assert.throws(() => new MessageQueue(fd), { code: 'ERR_INVALID_ARG_VALUE' })
  },
}
