import { setTimeout as delay } from 'node:timers/promises'
import type { Signal } from '@sdbridge/syscalls'
import type { Launch } from '../engines/launch.js'
import { SYSTEMD_SOCKET, SYSTEMD_STOP_SIGNAL } from '../engines/systemd-needs.js'
import { adoptOrphans } from './adopt-orphans.js'
import { answerSignals, tellSummary } from './answer-signals.js'
import { Child } from './child-process.js'
import { childVariables } from './child-variables.js'
import { ContainerEnd } from './container-end.js'
import { removeContainer, removeContainerNow } from './container-removal.js'
import { ContainerStop } from './container-stop.js'
import { type Ending, endAs } from './ending.js'
import { extendWhilePulling } from './extend-while-pulling.js'
import { removeLeftovers, removeNotedContainer } from './leftovers.js'
import { InnerSystemd } from './inner-systemd.js'
import { logsCommand } from './logs-command.js'
import { openProxy } from './open-proxy.js'
import { tell } from './operator-log.js'
import { tellNotes } from './operator-notes.js'
import { OwnContainer } from './own-container.js'
import { offerDescriptors } from './descriptor-offer.js'
import { fillPlaceholders } from './placeholders.js'
import type { PreparedRun } from './prepare-run.js'
import { resolveProgram } from './program-file.js'
import type { PullExtension } from './pull-extension.js'
import { signalContainer } from './signal-container.js'
import type { SignalInbox } from './signal-inbox.js'
import { stateOf } from './run-state.js'
import { writeState } from './state-file.js'
import { stopGraceSec } from './stop-grace.js'
import { makeRoomForContainer } from './unit-cgroup.js'

/** For the service manager to take what the container said at its end. */
const DRAIN_MS = 5000

/** Starts what was planned, and stays until it has ended and nothing of it is left. */
export async function serveContainer(prepared: PreparedRun, inbox: SignalInbox): Promise<number> {
  const { directory, host, identity, options, plan } = prepared
  tellNotes(prepared)
  resolveProgram(plan?.launch.file ?? options.command[0] ?? '', host.passedOn)
  directory.checkIsFree()
  await removeNotedContainer(directory, host.passedOn)
  if (plan !== undefined)
    await removeLeftovers(plan.command, plan.launch, identity.id, host.passedOn)
  if (inbox.isStopped) return endAs({ signal: 'SIGTERM' })

  // Where it cannot be made, it is another's, who may be at work in it.
  directory.make()
  const removeDirectory = (): void => directory.remove()
  process.once('exit', removeDirectory)
  try {
    // podman does that itself, below the cgroup that it finds itself in.
    if (plan?.cgroup !== undefined && plan.launch.engine !== 'podman')
      makeRoomForContainer(plan.cgroup)
    if (prepared.options.systemd) directory.linkSocket(SYSTEMD_SOCKET)
    await plan?.launch.prepare()
    const isCreated = plan?.launch.verb === 'create'
    const ending = isCreated ? await create(prepared, inbox) : await serve(prepared, inbox)
    directory.remove()
    const isOver = isCreated ? ending.code !== 0 : plan !== undefined && isGoneFor(plan.launch)
    if (isOver) directory.removeLasting()
    return endAs(ending)
  } finally {
    directory.remove()
    process.off('exit', removeDirectory)
  }
}

// runc and crun start a container once. To docker and podman, the one that was started is still there.
function isGoneFor({ engine, verb }: Launch): boolean {
  return verb === 'start' && (engine === 'runc' || engine === 'crun')
}

// There is no container to stop yet: a pull, say, is the client's to end.
async function create(prepared: PreparedRun, inbox: SignalInbox): Promise<Ending> {
  const child = await startChild(prepared)
  const passOn = (signal: Signal): void => child.kill(signal)
  inbox.open({ onStop: passOn, onAbort: passOn, onPassOn: passOn, onSummary: passOn })
  return await child.ended
}

async function serve(prepared: PreparedRun, inbox: SignalInbox): Promise<Ending> {
  const { directory, host, identity, options, plan, settings } = prepared
  const launch = plan?.launch
  const env = host.passedOn
  const own = launch && new OwnContainer({ launch, env, unit: identity.id })
  writeState(directory.path, stateOf(prepared))

  let child: Child | undefined
  let isReady = false
  let hasStatus = false
  let stop: ContainerStop | undefined
  let pull: PullExtension | undefined
  let endOffer: (() => void) | undefined
  const inner = innerSystemd(prepared, own, () => stop?.isStopping === true)
  const proxy = openProxy(prepared, own, (assignments) => {
    const { ready, status, extendTimeoutUsec } = assignments
    inner?.hear(assignments)
    isReady ||= ready === true
    hasStatus ||= status !== undefined
    pull?.look()
    if (extendTimeoutUsec !== undefined) stop?.extend(extendTimeoutUsec)
  })
  try {
    // A container whose runtime leaves at once becomes our child, and its exit status ours to know.
    if (launch?.detached === true && launch.container.wait === undefined) adoptOrphans()
    endOffer = offerDescriptors(prepared)
    const client = await startChild(prepared)
    child = client
    endOnFault(prepared, client, own)
    if (endOffer === undefined) for (const socket of prepared.sockets.fds) socket.close()
    const ended: Promise<Ending> = client.ended.then((each) => end?.after(each) ?? each)
    const timeoutStopSec = settings.timeoutStopSec ?? options.timeoutStopSec
    const graceSec = stopGraceSec(timeoutStopSec)
    const stopping = new ContainerStop({ own, child: client, env, graceSec, ended })
    stop = stopping
    const end =
      plan &&
      own &&
      new ContainerEnd({
        own,
        env,
        state: prepared.conditions,
        isStopping: () => stopping.isStopping,
        logsSince: (name, sec) => logsCommand(plan.command, name, sec),
      })
    const isStarted = (): boolean => own === undefined || own.isThere || client.hasEnded
    pull = extendWhilePulling(
      prepared,
      () => isReady || stopping.isStopping || isStarted(),
      () => hasStatus,
    )
    answerSignals(prepared, inbox, { child: client, own, proxy, stop: stopping, ended })

    const ending = await ended
    pull?.end()
    await stopping.settled()
    const wasKilled = (await client.ended).signal !== undefined
    if (own !== undefined && !(await removeContainer(own, env, wasKilled))) directory.keep()
    // Not before: a container whose client was lost has spoken until it was removed.
    await Promise.race([proxy.idle(), delay(DRAIN_MS, undefined, { ref: false })])
    tellSummary(proxy)
    return inner === undefined || stopping.isStopping ? ending : inner.endingOf(ending)
  } catch (error) {
    if (child === undefined) throw error
    return endOnMistake(prepared, child, own, error as Error)
  } finally {
    endOffer?.()
    pull?.end()
    proxy.close()
  }
}

function innerSystemd(
  { host, options, plan }: PreparedRun,
  own: OwnContainer | undefined,
  isStopping: () => boolean,
): InnerSystemd | undefined {
  if (!options.systemd || plan === undefined || own === undefined) return undefined
  return new InnerSystemd(() => {
    // The first one, if it came sooner, has not been heard.
    if (isStopping()) void signalContainer(plan.command, own, SYSTEMD_STOP_SIGNAL, host.passedOn)
  })
}

async function startChild(prepared: PreparedRun): Promise<Child> {
  const { conditions, host, options, places, plan, request, sockets } = prepared
  const command = plan?.launch ?? fillPlaceholders(options.command, places)
  const fds =
    plan?.launch.passesFds === false || request !== undefined ? [] : sockets.fds.map(({ fd }) => fd)
  const env = { ...host.passedOn, ...childVariables(prepared) }
  return await Child.start(command, { env, fds, state: conditions })
}

function endOnFault(prepared: PreparedRun, child: Child, own: OwnContainer | undefined): void {
  process.once('uncaughtException', (error) => endOnMistake(prepared, child, own, error))
}

// A mistake of ours must not leave a container that nobody watches.
function endOnMistake(
  { directory, host }: PreparedRun,
  child: Child,
  own: OwnContainer | undefined,
  error: Error,
): never {
  tell(`giving up: ${error.stack ?? error.message}`)
  // It might make a container still.
  child.kill('SIGKILL')
  if (own !== undefined && !removeContainerNow(own, host.passedOn)) directory.keep()
  process.exit(125)
}
