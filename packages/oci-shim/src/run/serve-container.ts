import { notify } from '@sdbridge/notify'
import { setTimeout as delay } from 'node:timers/promises'
import { removeMountpoints } from '../runtime/mountpoints.js'
import type { Command, Launch } from '../engines/launch.js'
import { NotifyProxy } from '../proxy/notify-proxy.js'
import { BridgeError } from './bridge-error.js'
import { Child, resolveProgram } from './child-process.js'
import { childVariables } from './child-variables.js'
import { ContainerEnd } from './container-end.js'
import { STORE_PREFIX } from './container-sockets.js'
import { ContainerStop, isThere } from './container-stop.js'
import { type Ending, endAs } from './ending.js'
import { runCommand } from './engine-command.js'
import { InitPid } from './init-pid.js'
import { killCommand } from './kill-command.js'
import { removeLeftovers, removeNotedContainer } from './leftovers.js'
import { logsCommand } from './logs-command.js'
import { tell } from './operator-log.js'
import { fillPlaceholders } from './placeholders.js'
import type { PreparedRun } from './prepare-run.js'
import { PullExtension } from './pull-extension.js'
import type { SignalInbox } from './signal-inbox.js'
import { writeState } from './state-file.js'
import { stopGraceSec } from './stop-grace.js'
import { makeRoomForContainer } from './unit-cgroup.js'

/** For the service manager to take what the container said at its end. */
const DRAIN_MS = 5000
const ANSWER_MS = 15_000
/** For a core, after the watchdog's SIGABRT. */
const ABORT_MS = 10_000

/** Starts what was planned, and stays until it has ended and nothing of it is left. */
export async function serveContainer(prepared: PreparedRun, inbox: SignalInbox): Promise<number> {
  const { directory, host, plan } = prepared
  checkSockets(prepared)
  warn(prepared)
  resolveProgram(plan?.launch.file ?? prepared.options.command[0] ?? '', host.passedOn)
  directory.checkIsFree()
  await removeNotedContainer(directory, host.passedOn)
  if (plan !== undefined) {
    await removeLeftovers(plan.command, plan.launch, prepared.identity.id, host.passedOn)
  }
  directory.make()
  // podman does that itself, below the cgroup that it finds itself in.
  if (plan?.cgroup !== undefined && plan.launch.engine !== 'podman')
    makeRoomForContainer(plan.cgroup)
  const removeDirectory = (): void => directory.remove()
  process.once('exit', removeDirectory)
  try {
    const ending =
      plan?.launch.verb === 'create' ? await runToEnd(prepared) : await serve(prepared, inbox)
    directory.remove()
    return endAs(ending)
  } finally {
    directory.remove()
    process.off('exit', removeDirectory)
  }
}

async function runToEnd(prepared: PreparedRun): Promise<Ending> {
  await prepared.plan?.launch.prepare()
  return await startChild(prepared).ended
}

async function serve(prepared: PreparedRun, inbox: SignalInbox): Promise<Ending> {
  const { directory, host, identity, plan, settings } = prepared
  const launch = plan?.launch
  const env = host.passedOn
  await launch?.prepare()
  writeState(directory.path, {
    unit: identity.id,
    invocation: host.invocation,
    container: launch && { name: launch.container.name, remove: removalOf(launch) },
  })

  let isReady = false
  const proxy = openProxy(prepared, () => (isReady = true))
  try {
    const child = startChild(prepared)
    for (const socket of prepared.sockets.fds) socket.close()
    const end =
      plan &&
      new ContainerEnd({
        launch: plan.launch,
        env,
        state: prepared.conditions,
        isStopping: () => stop.isStopping,
        logsSince: (sec) => logsCommand(plan.command, plan.launch.container.name, sec),
      })
    const ended = child.ended.then((client) => end?.after(client) ?? client)
    const stop = new ContainerStop({
      launch,
      child,
      env,
      graceSec: stopGraceSec(settings.timeoutStopSec ?? prepared.options.timeoutStopSec),
      ended,
    })
    const isStarted = (): boolean => launch === undefined || isThere(launch) || child.hasEnded
    const pull = extendWhilePulling(prepared, () => isReady || stop.isStopping || isStarted())
    handleSignals(prepared, inbox, { child, proxy, stop, ended })
    const ending = await ended
    pull?.end()
    await Promise.race([proxy.idle(), delay(DRAIN_MS, undefined, { ref: false })])
    if (launch !== undefined) await removeContainer(launch, env)
    for (const line of proxy.summary().split('\n')) tell(line)
    return ending
  } finally {
    proxy.close()
  }
}

function openProxy(
  { directory, host, options, plan, sockets, storeLimit }: PreparedRun,
  onReady: () => void,
): NotifyProxy {
  const isAsked = options.senders === 'init' || options.mainPid
  const initPid = plan && new InitPid(plan.launch, host.passedOn, isAsked)
  return new NotifyProxy({
    path: directory.socketPath,
    upstream: host.notifySocket,
    senders: options.senders,
    init: () => initPid?.get(),
    mainPid: options.mainPid,
    notifyAccess: options.notifyAccess,
    store:
      storeLimit === 0
        ? undefined
        : { prefix: STORE_PREFIX, limit: options.storeLimit ?? Infinity, names: sockets.stored },
    onForwarded: ({ ready }) => {
      if (ready === true) onReady()
    },
  })
}

function startChild(prepared: PreparedRun): Child {
  const { conditions, directory, host, options, plan, sockets } = prepared
  const launch = plan?.launch
  const command: Command = launch ?? fillPlaceholders(options.command, directory)
  const fds = launch?.passesFds === false ? [] : sockets.fds.map(({ fd }) => fd)
  const env = { ...host.passedOn, ...childVariables(prepared) }
  return new Child(command, { env, fds, state: conditions })
}

interface Running {
  child: Child
  proxy: NotifyProxy
  stop: ContainerStop
  ended: Promise<unknown>
}

function handleSignals(
  { host, plan }: PreparedRun,
  inbox: SignalInbox,
  { child, proxy, stop, ended }: Running,
): void {
  const passOn = async (signal: string): Promise<void> => {
    if (plan === undefined) return child.kill(signal as NodeJS.Signals)
    const command = killCommand(plan.command, plan.launch.container.name, signal as NodeJS.Signals)
    const { code, reason } = await runCommand(command, host.passedOn, ANSWER_MS)
    if (code !== 0) tell(`${signal} does not reach the container: ${reason}`)
  }
  inbox.open({
    onStop: (signal) => void stop.stop(signal),
    onAbort: (signal) =>
      void passOn(signal).then(async () => {
        await Promise.race([ended, delay(ABORT_MS, undefined, { ref: false })])
        await stop.kill()
      }),
    onPassOn: (signal) => void passOn(signal),
    onSummary: () => {
      for (const line of proxy.summary().split('\n')) tell(line)
    },
  })
}

function extendWhilePulling(
  { host, options, plan }: PreparedRun,
  isOver: () => boolean,
): PullExtension | undefined {
  const launch = plan?.launch
  const { notifySocket } = host
  if (launch?.container.idFile === undefined || notifySocket === undefined) return undefined
  const env = { NOTIFY_SOCKET: notifySocket }
  return new PullExtension({
    limitMs: options.pullLimitSec * 1000,
    isOver,
    extend: (usec) => {
      const status = `Waiting for ${launch.engine} to pull the image or create the container`
      notify({ extendTimeoutUsec: usec, status }, { env }).catch((error: Error) =>
        tell(error.message),
      )
    },
  })
}

/** What must be done if this process is killed: a container that was there before is only stopped. */
function removalOf({ container, engine, verb }: Launch): Command {
  const isRuntime = engine === 'runc' || engine === 'crun'
  return verb === 'start' && !isRuntime ? container.stop(0)[0]! : container.remove
}

async function removeContainer(launch: Launch, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, reason } = await runCommand(removalOf(launch), env, ANSWER_MS)
  if (code !== 0) tell(`the container ${launch.container.name} may be left behind: ${reason}`)
  await removeMountpoints(launch.mountpoints)
}

function checkSockets({ plan, sockets }: PreparedRun): void {
  if (plan === undefined || plan.launch.passesFds || sockets.fds.length === 0) return
  const { engine, verb } = plan.launch
  const own = sockets.fds.length - sockets.stored.length
  if (own > 0) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `${engine} ${verb}: the unit has ${own} socket(s) for its container (${sockets.names.join(', ')}), and ${engine} has no way to pass descriptors on yet: use podman, runc or crun, or publish ports without a .socket unit`,
    )
  }
  tell(
    `${engine} ${verb} cannot hand ${sockets.stored.length} descriptor(s) from the unit's store back to the container: they are closed here`,
  )
}

function warn({ host, options, plan }: PreparedRun): void {
  for (const warning of plan?.launch.warnings ?? []) tell(warning)
  if (plan === undefined) {
    tell(
      `${options.command[0]} is no container engine that sdbridge knows: it gets NOTIFY_SOCKET as it is on the host`,
    )
  }
  if (host.notifySocket === undefined && plan?.launch.verb !== 'create') {
    tell(
      'NOTIFY_SOCKET is not set, so nobody hears what the container notifies: a unit needs Type=notify or NotifyAccess=main',
    )
  }
}
