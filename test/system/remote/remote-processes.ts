import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Machine } from '../machine/machine.js'
import { inside } from '../repository.js'
import { RemoteProcess } from './remote-process.js'

const LONGEST_START_MS = 20_000

const machines = new WeakMap<Machine, Promise<RemoteProcesses>>()

/** The remote processes of a machine, in which `/run/remote UNIT ROLE` becomes one of them. */
export function remoteProcessesOf(machine: Machine): Promise<RemoteProcesses> {
  let processes = machines.get(machine)
  if (processes === undefined) {
    processes = listen(machine)
    machines.set(machine, processes)
  }
  return processes
}

/** Where remote processes are waited for. */
export class RemoteProcesses {
  readonly #arrived = new Map<string, RemoteProcess[]>()
  readonly #awaited = new Map<string, (process: RemoteProcess) => void>()

  /** The next process of a unit in this role; waits until somebody in the machine has started it. */
  async next(unit: string, role: string): Promise<RemoteProcess> {
    const key = `${unit} ${role}`
    const arrived = this.#arrived.get(key)?.shift()
    if (arrived !== undefined) return arrived
    return new Promise((resolve, reject) => {
      const message = `nobody has started the process "${role}" of ${unit}`
      const timer = setTimeout(() => reject(new Error(message)), LONGEST_START_MS)
      this.#awaited.set(key, (process) => {
        clearTimeout(timer)
        resolve(process)
      })
    })
  }

  async accept(connection: Socket): Promise<void> {
    // A killed process resets its connection: an end like any other.
    connection.on('error', () => connection.destroy())
    let process: RemoteProcess | undefined
    for await (const line of createInterface({ input: connection })) {
      const message = JSON.parse(line)
      if (process === undefined) {
        process = new RemoteProcess(message, connection)
        this.#arrive(`${message.unit} ${message.role}`, process)
      } else process.take(message)
    }
  }

  #arrive(key: string, process: RemoteProcess): void {
    const awaited = this.#awaited.get(key)
    this.#awaited.delete(key)
    if (awaited !== undefined) awaited(process)
    else this.#arrived.set(key, [...(this.#arrived.get(key) ?? []), process])
  }
}

async function listen(machine: Machine): Promise<RemoteProcesses> {
  const processes = new RemoteProcesses()
  const server = createServer((connection) => {
    connection.unref()
    void processes.accept(connection)
  })
  // It ends with this process; nobody can close it sooner, for the machine's files are gone first.
  server.listen(machine.path('/run/remote.sock')).unref()
  await once(server, 'listening')
  // A service may run as anybody.
  await chmod(machine.path('/run/remote.sock'), 0o666)
  const program = inside('test/system/fixtures/remote-process.mjs')
  const script = `#!/bin/sh\nexec ${machine.nodePath} ${program} "$@"\n`
  await writeFile(machine.path('/run/remote'), script, { mode: 0o755 })
  return processes
}
