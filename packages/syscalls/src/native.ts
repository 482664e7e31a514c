import { lstatSync } from 'node:fs'
import { createRequire } from 'node:module'

/**
 * What the compiled addon offers: one function for each system call, plain numbers in and out. A result
 * below zero is `-errno`. Only this package calls it; everybody else uses the functions around it.
 */
export interface Native {
  socket(domain: number, type: number, protocol: number, owned: number): number
  bind(fd: number, address: Uint8Array): number
  connect(fd: number, address: Uint8Array): number
  listen(fd: number, backlog: number): number
  accept(fd: number, owned: number): number
  shutdown(fd: number, how: number): number
  getsockname(fd: number, address: Uint8Array): number
  getpeername(fd: number, address: Uint8Array): number
  getsockopt(fd: number, level: number, name: number, values: Int32Array): number
  setsockopt(fd: number, level: number, name: number, value: number): number
  send(
    fd: number,
    data: Uint8Array,
    address?: Uint8Array,
    fds?: Int32Array,
    credentials?: Int32Array,
  ): number
  sendBatch(fd: number, payloads: Uint8Array, ranges: Int32Array): number
  receive(
    fd: number,
    payloads: Uint8Array,
    records: Int32Array,
    mostMessages: number,
    mostBytes: number,
    options: number,
  ): number
  discard(fd: number): number
  mqAttributes(fd: number, attributes: Int32Array): number
  mqReceive(
    fd: number,
    payloads: Uint8Array,
    records: Int32Array,
    mostMessages: number,
    mostBytes: number,
  ): number
  mqSend(fd: number, data: Uint8Array, priority: number): number
  own(fd: number): number
  close(fd: number): number
  closeSocket(fd: number): number
  closeOnThread(fds: Int32Array): number
  pipe(fds: Int32Array): number
  duplicate(fd: number): number
  getCloexec(fd: number): number
  setCloexec(fd: number, on: number): number
  getNonBlocking(fd: number): number
  setNonBlocking(fd: number, on: number): number
  fileType(fd: number): number
  getSeals(fd: number): number
  filesystemType(fd: number): number
  dupfdQuery(fd: number, other: number): number
  kcmpFile(fd: number, other: number): number
  startPolling(onReady: (fd: number, generation: number, events: number) => void): number
  keepAlive(poller: number, on: number): number
  watch(poller: number, fd: number, generation: number, events: number): number
  unwatch(poller: number, fd: number): number
  pidfdOpen(pid: number): number
  pidfdSendSignal(pidfd: number, signal: number): number
  waitid(idType: number, id: number, options: number, exit: Int32Array): number
  setSubreaper(on: number): number
  isSubreaper(): number
  getNofile(limits: BigUint64Array): number
  setNofile(limits: BigUint64Array): number
  monotonicUsec(): number
  namespace(fd: number, request: number, argument: number): number
  execute(
    strings: Uint8Array,
    counts: Int32Array,
    fds: Int32Array,
    signals: BigUint64Array,
    fileLimits?: BigUint64Array,
  ): number
  catchSignal(signal: number, onSignal: (count: number) => void): number
  releaseSignal(signal: number): number
}

/** Options of `receive`, as in native/sys.h. */
export const ADDRESSED = 1
export const PEEK = 2

let loaded: Native | undefined

/**
 * Loads the addon at its first use, never at import, so that a program without a service manager runs on
 * any system.
 *
 * @throws Error with code `ERR_SYSCALLS_UNAVAILABLE` where there is no binary for this machine.
 */
export function native(): Native {
  return (loaded ??= load())
}

/**
 * Loads the addon now, for whoever has another way where there is none.
 *
 * @throws Error with code `ERR_SYSCALLS_UNAVAILABLE`.
 */
export function loadAddon(): void {
  native()
}

function load(): Native {
  // By the package's name, not from here: so a program that is bundled into one file finds it in the package, too.
  const file = `@sdbridge/syscalls/prebuilds/${process.platform}-${process.arch}.node`
  // So that Node 20 and 22 resolve symbolic links rightly, such as that of the package: see fd-stats.ts of @sdbridge/listen-fds.
  lstatSync('/')
  try {
    return createRequire(import.meta.url)(file) as Native
  } catch (cause) {
    const error = new Error(
      `@sdbridge/syscalls has no working binary for ${process.platform}-${process.arch}: ` +
        `${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}. Published are linux-x64 ` +
        'and linux-arm64; in a checkout, run `pnpm build:native` (it needs a C compiler).',
      { cause },
    )
    throw Object.assign(error, { code: 'ERR_SYSCALLS_UNAVAILABLE' })
  }
}
