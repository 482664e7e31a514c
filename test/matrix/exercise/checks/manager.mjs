import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { listenFds } from '@sdbridge/listen-fds'
import { Service } from '@sdbridge/manager'
import { NODE, program } from '../runtime.mjs'

export const manager = {
  async 'a service takes its socket from the manager, is ready, and is stopped'(scope) {
    const service = serviceOf(scope, { watchdogMs: 20_000 })
    await service.start()
    assert.match(service.statusText, /^serving http tcp-listener/)
    assert.equal(await greeting(service), `http ${service.mainPid}\n`)
    const said = []
    service.on('notification', (assignments) => said.push(...Object.keys(assignments)))
    await service.stop()
    assert.ok(said.includes('stopping'), said.join())
    assert.deepEqual([service.state, service.result], ['dead', 'success'])
  },

  async 'a service reports its reload'(scope) {
    const service = serviceOf(scope, {
      type: 'notify-reload',
      // Before the check itself gives up.
      startTimeoutMs: scope.timeoutMs / 2,
    })
    await service.start()
    await service.reload()
    assert.equal(service.statusText, 'reloaded')
  },

  async 'a restart keeps the socket, and a connection made meanwhile'(scope) {
    const service = serviceOf(scope)
    await service.start()
    const before = service.mainPid
    await service.stop()
    const waiting = greeting(service)
    await service.start()
    assert.notEqual(service.mainPid, before)
    assert.equal(await waiting, `http ${service.mainPid}\n`)
  },

  async 'a connection starts the service'(scope) {
    const service = serviceOf(scope)
    service.activateOnTraffic()
    assert.equal(service.state, 'dead')
    assert.match(await greeting(service), /^http \d+\n$/)
  },

  async 'a service that does not ping is ended by its watchdog'(scope) {
    // A runtime may have much to say when it is ended by SIGABRT.
    const service = serviceOf(scope, { watchdogMs: 300, output: 'ignore' }, ['no-pings'])
    await service.start()
    await once(service, 'exit')
    assert.equal(service.result, 'watchdog')
  },

  'a process without a manager has no descriptors'() {
    assert.deepEqual(listenFds({ env: {} }), [])
    assert.throws(
      () => listenFds({ env: { LISTEN_PID: String(process.pid), LISTEN_FDS: 'many' } }),
      { name: 'ListenFdsError', code: 'ERR_LISTEN_FDS_INVALID_ENVIRONMENT' },
    )
  },
}

function serviceOf(scope, options = {}, behaviour = []) {
  const service = new Service({
    command: [NODE, program('service.mjs'), ...behaviour],
    sockets: [{ listen: '127.0.0.1:0', name: 'http' }],
    ...options,
  })
  scope.after(() => service.close())
  return service
}

function greeting(service) {
  return text(connect(service.sockets[0].address.port, '127.0.0.1'))
}
