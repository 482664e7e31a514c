import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { requireRival } from '../../support/rivals.js'

const MESSAGE = Buffer.from('WATCHDOG=1')
const CALLS_AT_ONCE = 100

/** @typedef {(count: number) => Promise<void> | void} SendMany Settles when all have been sent. */

/** @type {Record<string, (path: string) => SendMany | Promise<SendMany>>} Each is given the socket's path. */
export const senders = {
  async awaited() {
    const { notify } = await import('@sdbridge/notify')
    return async (count) => {
      for (let sent = 0; sent < count; sent++) await notify({ watchdog: true })
    }
  },

  // Without the look-up in process.env, which Node makes in C++.
  async 'awaited-env'(path) {
    const { notify } = await import('@sdbridge/notify')
    const env = { NOTIFY_SOCKET: path }
    return async (count) => {
      for (let sent = 0; sent < count; sent++) await notify({ watchdog: true }, { env })
    }
  },

  async 'at-once'() {
    const { notify } = await import('@sdbridge/notify')
    return async (count) => {
      for (let sent = 0; sent < count; sent += CALLS_AT_ONCE) {
        const calls = Math.min(CALLS_AT_ONCE, count - sent)
        await Promise.all(Array.from({ length: calls }, () => notify({ watchdog: true })))
      }
    }
  },

  async trySend(path) {
    const { DatagramSocket } = await import('@sdbridge/syscalls')
    const socket = new DatagramSocket('unix')
    socket.connect({ family: 'unix', path })
    return (count) =>
      new Promise((resolve) => {
        let sent = 0
        sendOn()
        function sendOn() {
          while (sent < count && socket.trySend(MESSAGE)) sent++
          if (sent < count) socket.onceWritable(sendOn)
          else resolve()
        }
      })
  },

  'unix-dgram'(path) {
    const socket = requireRival('unix-dgram').createSocket('unix_dgram')
    socket.connect(path)
    return (count) =>
      new Promise((resolve, reject) => {
        let sent = 0
        let full = false
        socket.removeAllListeners('writable')
        socket.on('writable', sendOn)
        sendOn()
        function sendOn() {
          full = false
          while (sent < count && !full) socket.send(MESSAGE, onSent)
          if (sent === count) resolve()
        }
        /** @param {{ code: number } | undefined} error 1 stands for "not sent, wait for 'writable'". */
        function onSent(error) {
          if (error === undefined) sent++
          else if (error.code === 1) full = true
          else reject(error)
        }
      })
  },

  'sd-notify'() {
    const { watchdog } = requireRival('sd-notify')
    return (count) => {
      for (let sent = 0; sent < count; sent++) watchdog()
    }
  },

  'systemd-notify'() {
    return async (count) => {
      for (let sent = 0; sent < count; sent++) {
        // Without --no-block it sends a second message and waits for the answer to that.
        const child = spawn('systemd-notify', ['--no-block', 'WATCHDOG=1'], { stdio: 'inherit' })
        const [code] = await once(child, 'close')
        if (code !== 0) throw new Error(`systemd-notify ended with ${code}`)
      }
    }
  },
}
