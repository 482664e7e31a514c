import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { whileManagerIsStopped } from '../remote/stopped-manager.js'
import { no, none, partly, yes, type Observation } from './observation.js'
import { NoPayload, reasonOf, type Trial } from './trial.js'

/** One question, put to each rival. */
export interface Scenario {
  /** Part of unit names. */
  id: string
  title: string
  /** What is looked at, in a sentence or two. */
  how: string
  /**
   * `ready`: in a service whose payload has said READY=1, which it shares with other scenarios of this kind. `together`: the
   * same, of all rivals at once. Otherwise in one of its own that has not been started.
   */
  in?: 'ready' | 'together'
  /** Whether it asks nothing of a rival for which the payload’s READY=1 decides nothing. */
  isAboutReady?: true
  /** Whether it asks nothing of a rival that passes no STATUS= on. */
  isAboutStatus?: true
  /** More of the unit file, the later word. */
  settings?: string
  /** Whether the unit has a socket. */
  hasSocket?: true
  hasUserNamespace?: true
  observe(trial: Trial): Promise<Observation>
}

// Longer than from the start of a container to the end of what its engine does then.
const EARLY_MS = 2500
const WATCHDOG_S = 4
const START_S = 15
const KEPT = 'what the first one knew'

const NEVER_ACTIVE = 'the unit is never active'

/** To add one is to add an entry here, and to run `pnpm comparison`. */
export const SCENARIOS: readonly Scenario[] = [
  {
    id: 'gate',
    title: 'READY=1 of the payload ends the start',
    how: 'The payload waits, then sends READY=1. The unit must be activating until then, and active afterwards.',
    async observe(trial) {
      const payload = await trial.start()
      const { isReadyBy } = trial.rival
      const isActive = () => trial.becomes({ ActiveState: 'active', SubState: 'running' })
      if (await trial.becomes({ ActiveState: 'active' }, EARLY_MS))
        return no('active before the payload had said anything')
      const failure = await trial.say('READY=1')
      if (await isActive()) return yes('active at READY=1, and not before')
      if (isReadyBy === undefined) return no(`READY=1 was not heard${failure}`)
      await payload.run(isReadyBy)
      return (await isActive())
        ? partly(
            `READY=1 was not heard${failure}; active when it was found healthy, and not before`,
          )
        : no('never active')
    },
  },
  {
    id: 'second-line',
    title: 'READY=1 behind a status',
    how: 'One message: STATUS=starting, a line feed, READY=1.',
    isAboutReady: true,
    async observe(trial) {
      await trial.start()
      const failure = await trial.say('STATUS=starting\nREADY=1')
      return (await trial.becomes({ ActiveState: 'active' }))
        ? yes('active')
        : no(`not heard${failure}`)
    },
  },
  {
    id: 'look-alike',
    title: 'NOTREADY=10 does not count as READY=1',
    how: 'The payload sends NOTREADY=10, and the unit must stay activating.',
    isAboutReady: true,
    async observe(trial) {
      await trial.start()
      await trial.say('NOTREADY=10')
      return (await trial.becomes({ ActiveState: 'active' }, EARLY_MS))
        ? no('active')
        : yes('still activating')
    },
  },
  {
    id: 'empty',
    title: 'READY=1 after an empty message',
    how: 'Two messages, the first with nothing in it.',
    isAboutReady: true,
    async observe(trial) {
      await trial.start()
      await trial.say('')
      // What the empty one does takes a moment.
      await delay(500)
      const failure = await trial.say('READY=1')
      return (await trial.becomes({ ActiveState: 'active' }))
        ? yes('active')
        : no(`not heard${failure}`)
    },
  },
  {
    id: 'oversize',
    title: 'READY=1 beside a status that is too long',
    how: 'One message of 5,000 bytes, READY=1 at its end. systemd itself drops what is longer than 4,096.',
    isAboutReady: true,
    async observe(trial) {
      await trial.start()
      const failure = await trial.say(`STATUS=${'x'.repeat(4984)}\nREADY=1\n`)
      return (await trial.becomes({ ActiveState: 'active' }))
        ? yes('active')
        : no(`not heard${failure}`)
    },
  },
  {
    id: 'main',
    title: 'NotifyAccess=main suffices',
    how: 'The same unit with NotifyAccess=main, the strictest: the payload sends READY=1.',
    isAboutReady: true,
    settings: 'NotifyAccess=main',
    async observe(trial) {
      return (await trial.startReady()) ? yes('active') : no('READY=1 was not heard')
    },
  },
  {
    id: 'exec',
    title: 'a process that was sent into the container is heard',
    how: 'READY=1 comes from a process of the engine’s `exec`.',
    isAboutReady: true,
    async observe(trial) {
      const { rival, name, machine } = trial
      if (rival.exec === undefined) return none('it has no exec')
      const payload = await trial.start()
      const address = (await payload.environment())['NOTIFY_SOCKET'] ?? ''
      const sender = ['python3', '-c', SEND, address, 'READY=1']
      await machine.run('env', [...rival.exec(name), ...sender])
      return (await trial.becomes({ ActiveState: 'active' })) ? yes('active') : no('not heard')
    },
  },
  {
    id: 'userns',
    title: 'a payload in a user namespace is heard',
    how: 'Root of the container is another user of the host; READY=1 comes from it.',
    isAboutReady: true,
    hasUserNamespace: true,
    async observe(trial) {
      const payload = await trial.start()
      const map = await payload.readFile('/proc/self/uid_map')
      if (/^\s+0\s+0\s/.test(map)) throw new Error(`${trial.unit} has no user namespace: ${map}`)
      const failure = await trial.say('READY=1')
      return (await trial.becomes({ ActiveState: 'active' }))
        ? yes('active')
        : no(`READY=1 was not heard${failure}`)
    },
  },
  {
    id: 'waiting',
    title: 'a start that waits holds nothing up',
    how: 'Before READY=1, the engine is asked what runs, and the unit is stopped: SIGTERM must reach the payload.',
    async observe(trial) {
      const payload = await trial.start()
      const list = trial.rival.list ?? ['true']
      const { exitCode } = await trial.machine.run('env', list, { allowFailure: true })
      if (exitCode !== 0) return no('the engine does not tell what runs')
      await trial.systemctl('stop')
      return payload.signals.includes('SIGTERM')
        ? yes('systemctl stop: the payload got SIGTERM')
        : no('systemctl stop: the payload got no signal, and was killed at last')
    },
    settings: 'TimeoutStopSec=10',
  },
  {
    id: 'early-end',
    title: 'an end before READY=1 ends the start',
    how: 'The payload exits with status 3 and has said nothing.',
    isAboutReady: true,
    async observe(trial) {
      const payload = await trial.start()
      await payload.exit(3)
      const state = await trial.ending()
      if (state === undefined) return no('the start went on, without a container')
      return state.ExecMainStatus === '3'
        ? yes('failed, status 3')
        : partly(`failed, ${endingOf(state)}`)
    },
  },
  {
    id: 'extend',
    title: 'EXTEND_TIMEOUT_USEC=',
    how: `TimeoutStartSec=${START_S}; the payload asks for another minute, and sends READY=1 later than that.`,
    isAboutReady: true,
    settings: `TimeoutStartSec=${START_S}`,
    async observe(trial) {
      const start = performance.now()
      const payload = await trial.start()
      const failure = await trial.say('EXTEND_TIMEOUT_USEC=60000000')
      const rest = start + (START_S + 2) * 1000 - performance.now()
      if (rest < 3000) throw new Error(`${trial.unit}: too slow a start to tell anything`)
      await Promise.race([delay(rest), payload.ended])
      if (!payload.isThere) return no(`the start timed out${failure}`)
      await trial.say('READY=1')
      return (await trial.becomes({ ActiveState: 'active' }))
        ? yes('active, later than that')
        : no('the start timed out')
    },
  },
  {
    id: 'status',
    title: 'STATUS= after READY=1',
    how: '`systemctl status` must show it.',
    in: 'ready',
    async observe(trial) {
      const failure = await trial.say('STATUS=serving')
      if (!(await trial.shows('serving'))) return no(`not shown${failure}`)
      const { StatusText } = await trial.state()
      return StatusText === 'serving' ? yes('shown') : partly(`shown as “${StatusText}”`)
    },
  },
  {
    id: 'main-pid',
    title: 'the payload cannot make another process the unit’s own',
    how: 'MAINPID= with the number of a process of the host that has nothing to do with the unit; systemctl stop would end it.',
    in: 'ready',
    async observe(trial) {
      const { machine } = trial
      const script = 'sleep 600 >/dev/null 2>&1 & echo $!'
      const stranger = (await machine.run('sh', ['-c', script])).stdout.trim()
      const failure = await trial.say(`MAINPID=${stranger}`)
      const isTaken = await trial.becomes({ MainPID: stranger }, EARLY_MS)
      // Otherwise the end of the unit would be waited for with it.
      await machine.run('kill', [stranger])
      return isTaken
        ? no('the stranger became the main process')
        : yes(`the main process stayed the same${failure}`)
    },
  },
  {
    id: 'reach',
    title: 'the service manager’s own socket is out of the payload’s reach',
    how: 'Whether NOTIFY_SOCKET, seen from inside, is the very file at which systemd listens: whoever has that can send whatever it wants.',
    in: 'ready',
    async observe({ payload, machine }) {
      const { stdout } = await machine.run('stat', ['--format=%d:%i', '/run/systemd/notify'])
      const inside = await payload.run(['python3', '-c', STAT])
      if (inside.code !== 0) return yes('there is no socket')
      return inside.stdout === stdout ? no('it is that file') : yes('it is another one')
    },
  },
  {
    id: 'barrier',
    title: 'a barrier is released by the service manager',
    how: 'The service manager is stopped (SIGSTOP) while the payload sends a status and a barrier: nobody may release that. When it goes on, it must be.',
    in: 'together',
    async observe(trial) {
      const { machine, payload } = trial
      const around = async (action: () => Promise<void>) => whileManagerIsStopped(machine, action)
      const early = await trial.meanwhile(around, async () => {
        await trial.say('STATUS=before the barrier')
        try {
          await payload.sendBarrier('held')
          return await payload.isReleased('held', 1500)
        } catch (error) {
          return reasonOf(error)
        }
      })
      if (typeof early === 'string') return no(`it cannot be sent${early}`)
      if (early) return no('released while the service manager was stopped')
      if (!(await payload.isReleased('held', trial.patienceMs))) return no('never released')
      return (await trial.shows('before the barrier'))
        ? yes('released when the service manager went on, and had taken the status')
        : partly('released when the service manager went on, which has not taken the status')
    },
  },
  {
    id: 'reexec',
    title: 'systemctl daemon-reexec in the middle',
    how: 'The payload sends 20 numbered statuses while the service manager executes itself anew, and one more afterwards.',
    in: 'together',
    isAboutStatus: true,
    async observe(trial) {
      const { machine } = trial
      const around = async (action: () => Promise<void>) => {
        const reexec = machine.run('systemctl', ['daemon-reexec'], { timeoutMs: 60_000 })
        await Promise.all([reexec, action()])
      }
      const failure = await trial.meanwhile(around, async () => {
        let last = ''
        for (let number = 1; number <= 20; number += 1)
          last = await trial.say(`STATUS=number ${number}`)
        return last
      })
      const twentieth = await trial.shows('number 20')
      await trial.say('STATUS=afterwards')
      const afterwards = await trial.shows('afterwards')
      if (twentieth && afterwards) return yes('the twentieth and the one afterwards are shown')
      if (twentieth) return partly('the twentieth is shown, the one afterwards is not')
      return afterwards ? partly('the one afterwards is shown') : no(`none is shown${failure}`)
    },
  },
  {
    id: 'full',
    title: 'a service manager that reads nothing for a while',
    how: 'While it is stopped, the payload sends a thousand statuses or until its socket takes no more, and so do those of all rivals. When it goes on, the next status must be shown.',
    in: 'together',
    isAboutStatus: true,
    async observe(trial) {
      const { machine, payload } = trial
      const around = async (action: () => Promise<void>) => whileManagerIsStopped(machine, action)
      const failure = await trial.meanwhile(around, async () => {
        try {
          await payload.floodUntilFull('STATUS=flood', 1000)
          return ''
        } catch (error) {
          return reasonOf(error)
        }
      })
      if (failure !== '') return no(`not shown${failure}`)
      const end = performance.now() + trial.patienceMs
      while ((await payload.floodUntilFull('STATUS=after the flood', 1)) === 0) {
        if (performance.now() > end) return no('its socket takes no more')
        await delay(200)
      }
      return (await trial.shows('after the flood')) ? yes('shown') : no('not shown')
    },
  },
  {
    id: 'stopping',
    title: 'STOPPING=1',
    how: 'The unit must be deactivating.',
    in: 'ready',
    async observe(trial) {
      const failure = await trial.say('STOPPING=1')
      return (await trial.becomes({ ActiveState: 'deactivating' }))
        ? yes('deactivating')
        : no(`not heard${failure}`)
    },
  },
  {
    id: 'watchdog',
    title: 'the watchdog',
    how: `WatchdogSec=${WATCHDOG_S}: the payload pings for three intervals, then no more. The unit must outlive the first and not the second; and WATCHDOG_USEC must tell the payload.`,
    settings: `WatchdogSec=${WATCHDOG_S}`,
    async observe(trial) {
      if (!(await trial.startReady())) return no(NEVER_ACTIVE)
      const { payload } = trial
      const interval = (await payload.environment())['WATCHDOG_USEC']
      const pings = Array.from({ length: WATCHDOG_S * 3 + 1 })
      for (const _ of pings) {
        await Promise.race([delay(1000), payload.ended])
        if (payload.isThere) await trial.say('WATCHDOG=1').catch(() => {})
      }
      if (!payload.isThere) return no('ended by the watchdog while it pinged')
      const state = await trial.ending(trial.patienceMs + WATCHDOG_S * 1000)
      if (state?.Result !== 'watchdog') return no('its silence is not noticed')
      return interval === `${WATCHDOG_S}000000`
        ? yes('pings are heard, silence ends it')
        : partly('pings are heard, silence ends it; WATCHDOG_USEC is not set inside')
    },
  },
  {
    id: 'reload',
    title: 'systemctl reload of Type=notify-reload',
    how: 'The payload must get SIGHUP, and its RELOADING=1 with MONOTONIC_USEC=, then READY=1, must end the reload.',
    settings: 'Type=notify-reload',
    async observe(trial) {
      if (!(await trial.startReady())) return no(NEVER_ACTIVE)
      const { payload } = trial
      await payload.outlive('SIGHUP')
      await trial.systemctl('reload', '--no-block')
      const end = performance.now() + trial.patienceMs
      while (!payload.signals.includes('SIGHUP') && payload.isThere && performance.now() < end)
        await delay(100)
      if (!payload.isThere) return no('the reload ended the payload')
      if (!payload.signals.includes('SIGHUP')) return no('SIGHUP does not reach the payload')
      const now = await payload.monotonicUsec()
      const failure = await trial.say(`RELOADING=1\nMONOTONIC_USEC=${now}`)
      if (!(await trial.becomes({ SubState: 'reload-notify' })))
        return no(`SIGHUP reaches it, RELOADING=1 is not heard${failure}`)
      await trial.say('READY=1')
      return (await trial.becomes({ ActiveState: 'active', SubState: 'running' }))
        ? yes('reloaded')
        : no('RELOADING=1 is heard, READY=1 is not')
    },
  },
  {
    id: 'store',
    title: 'the descriptor store',
    how: 'FileDescriptorStoreMax=5: the payload stores a file in memory by name; after systemctl restart the next one must find it by that name.',
    settings: 'FileDescriptorStoreMax=5',
    async observe(trial) {
      await trial.startReady()
      await trial.payload.openMemory('kept', KEPT)
      const failure = await trial.say('FDSTORE=1\nFDNAME=kept', { files: ['kept'] })
      if (!(await trial.becomes({ NFileDescriptorStore: '1' }))) return no(`not stored${failure}`)
      await trial.systemctl('restart', '--no-block')
      const next = await trial.nextPayload()
      if (!('LISTEN_FDS' in (await next.environment())))
        return partly('stored; LISTEN_FDS is not set in the next container')
      const [passed] = await next.listenFds()
      if (passed === undefined) return partly('stored; LISTEN_PID is another one')
      if (passed.content !== KEPT) return partly('stored; something else is passed')
      return passed.name === 'kept'
        ? yes('stored, and back by name')
        : partly('stored, and back without its name')
    },
  },
  {
    id: 'socket',
    title: 'socket activation',
    how: 'A .socket unit with FileDescriptorName=web: the payload must find the socket by LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, and serve a client at it.',
    hasSocket: true,
    async observe(trial) {
      await trial.machine.systemctl('start', `${trial.name}.socket`)
      const payload = await trial.start()
      if (!('LISTEN_FDS' in (await payload.environment())))
        return no('LISTEN_FDS is not set inside')
      const [passed] = await payload.listenFds()
      if (passed === undefined) return no('LISTEN_PID is another one')
      const client = connect(trial.machine.path(`/run/${trial.name}.sock`))
      client.end('anybody there?')
      const [, answer] = await Promise.all([payload.serveOne(3, 'here'), text(client)])
      if (answer !== 'here') throw new Error(`${trial.unit} answers ${answer}`)
      return passed.name === 'web'
        ? yes('passed on, and serves; its name is there')
        : partly('passed on, and serves; its name is not there')
    },
  },
  {
    id: 'end',
    title: 'the end of the payload is the unit’s',
    how: 'The payload exits with status 7; another one is killed (SIGKILL).',
    async observe(trial) {
      await trial.startReady()
      await trial.payload.exit(7)
      const exited = endingOf(await trial.ending())
      await trial.startReady()
      await trial.machine.run('kill', ['-KILL', await trial.pidOfPayload()])
      const killed = endingOf(await trial.ending())
      const fact = `exit status 7: ${exited}; SIGKILL: ${killed}`
      if (exited !== 'status 7') return no(fact)
      return killed === 'signal 9' ? yes(fact) : partly(fact)
    },
  },
  {
    id: 'killed',
    title: 'nothing is left when the main process is killed',
    how: 'SIGKILL to the unit’s main process: the payload must end with the unit, and the next start must work.',
    async observe(trial) {
      await trial.startReady()
      const { payload } = trial
      const { MainPID } = await trial.state()
      if (MainPID === '0') return no('the unit has no main process')
      await trial.machine.run('kill', ['-KILL', MainPID])
      if ((await trial.ending(trial.patienceMs + 10_000)) === undefined)
        return no('the unit goes on')
      if (payload.isThere) return no('the payload goes on, without a unit')
      return trial.start().then(
        () => yes('the payload is gone with the unit; the next start works'),
        (error) => {
          if (!(error instanceof NoPayload)) throw error
          return partly('the payload is gone with the unit; the next start fails')
        },
      )
    },
  },
]

const SEND = `import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    sender.sendto(sys.argv[2].encode(), sys.argv[1])
    import time; time.sleep(1)
`

const STAT = `import os
status = os.stat(os.environ["NOTIFY_SOCKET"])
print(f"{status.st_dev}:{status.st_ino}")
`

/** How the main process of a unit has ended. */
function endingOf(state: { ExecMainCode: string; ExecMainStatus: string } | undefined): string {
  if (state === undefined) return 'the unit goes on'
  const { ExecMainCode, ExecMainStatus } = state
  // waitid(2): CLD_EXITED is 1.
  return `${ExecMainCode === '1' ? 'status' : 'signal'} ${ExecMainStatus}`
}
