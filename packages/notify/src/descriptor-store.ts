import type { Assignments } from './assignments.js'
import { type DescriptorSource, descriptorOf } from './descriptor-of.js'
import { diagnostics } from './diagnostics.js'
import { invalidArgType, NotifyError } from './errors.js'
import { parseInteger } from './integer.js'
import { notify, notifyEach, type NotifyOptions } from './notify.js'
import { notifySocketOf, readVariable, unsetVariables } from './service-environment.js'
import { isSameOpenFile, StoredDescriptors } from './stored-descriptors.js'

export interface RemoveFdsOptions extends Omit<NotifyOptions, 'fds'> {}

export interface StoreFdsOptions extends RemoveFdsOptions {
  /**
   * `false`: the manager keeps the descriptors even after a hang-up or an error (`FDPOLL=0`; systemd 246 ff.). By default it
   * drops them then, also with data unread. Remove them yourself with {@link removeFds}.
   */
  poll?: boolean
  /** `false`: adds to what has this name already. By default that is removed first. */
  replace?: boolean
}

const log = diagnostics('sdbridge:notify:store')

/** By the value of `$NOTIFY_SOCKET`. */
const stores = new Map<string, StoredDescriptors>()

/**
 * Gives descriptors to the service manager, which keeps them and hands them to the next run of the service, where
 * sd_listen_fds(3) finds them by their name: `FDSTOREREMOVE=1` for what has that name, then `FDSTORE=1`.
 *
 * The unit needs `FileDescriptorStoreMax=` (and `FileDescriptorStorePreserve=yes` to keep them over a stop, systemd 254 ff.). The
 * manager never answers: what it does not take it closes without a word. So what it would not take is refused here, as far as
 * it can be known: more than `$FDSTORE` (which 254 ff. set), names that it does not allow, the same open file twice. The
 * descriptors stay yours: a server that is stored goes on serving. Removing and storing are two messages; a service that
 * ends between them has stored nothing.
 *
 * It counts what this process has stored. What an earlier run has stored is not counted, and what the manager has dropped since, after a
 * hang-up, is counted until {@link removeFds} or a `storeFds` of that name.
 *
 * @param name For the descriptors: at most 255 printable ASCII characters without `:` and backslash.
 * @param sources One or several: numbers, servers and sockets of Node, objects with a number as `fd`.
 * @returns `false` if there is no service manager.
 * @throws NotifyError `ERR_NOTIFY_FDSTORE_FULL`, `ERR_NOTIFY_FDSTORE_DISABLED`, `ERR_NOTIFY_DUPLICATE_FD`,
 *   `ERR_NOTIFY_NO_DESCRIPTOR`, and what {@link notify} throws.
 * @example
 * <!-- env: FDSTORE=16
 *      expect: FDSTOREREMOVE=1, FDNAME=web
 *      expect: FDSTORE=1, FDNAME=web, 1 descriptor -->
 * ```js
 * import { createServer } from 'node:net'
 * import { storeFds } from '@sdbridge/notify'
 *
 * const server = createServer().listen(0, async () => {
 *   await storeFds('web', server)
 *   server.close()
 * })
 * ```
 */
export async function storeFds(
  name: string,
  sources: DescriptorSource | readonly DescriptorSource[],
  options: StoreFdsOptions = {},
): Promise<boolean> {
  const { poll, replace = true, unsetEnvironment = false, ...rest } = options
  const { env = process.env } = options
  if (unsetEnvironment) unsetVariables(env, 'NOTIFY_SOCKET')
  const fds = [sources].flat().map((source) => descriptorOf(source as DescriptorSource))
  const assignments: Assignments = { fdStore: true, fdName: checkName(name) }
  if (poll === false) assignments.fdPoll = false
  const address = notifySocketOf(env)
  if (address === undefined) return await notify(assignments, { ...rest, fds })

  const store = storeOf(address)
  const replaced = replace ? name : undefined
  checkDuplicates(fds, store, replaced)
  checkLimit(env, store.countWithout(replaced) + fds.length)
  const removal = { assignments: { fdStoreRemove: true, fdName: name } as const }
  const storing = { assignments, fds }
  const sending = notifyEach(replace ? [removal, storing] : [storing], rest)
  // Before anything is awaited, in the order of the calls, as they are sent.
  const putBack = replace ? store.remove(name) : undefined
  const takeBack = store.add(name, fds)
  let outcomes: PromiseSettledResult<unknown>[] | undefined
  try {
    outcomes = await sending
  } catch (reason) {
    // Nothing was sent.
    outcomes = [{ status: 'rejected', reason }]
  }
  const failed = outcomes?.find((outcome) => outcome.status === 'rejected')
  if (failed === undefined) return true
  takeBack()
  if (outcomes?.[0] === failed) putBack?.()
  throw failed.reason
}

/**
 * Has the service manager drop all stored descriptors of a name: `FDSTOREREMOVE=1` (systemd 236 ff.). It says nothing if there
 * are none. Do so when a stored connection is closed: its peer sees no end while the manager holds it.
 *
 * @returns `false` if there is no service manager; see {@link notify} for errors.
 * @example
 * <!-- expect: FDSTOREREMOVE=1, FDNAME=web -->
 * ```js
 * import { removeFds } from '@sdbridge/notify'
 *
 * await removeFds('web')
 * ```
 */
export async function removeFds(name: string, options: RemoveFdsOptions = {}): Promise<boolean> {
  const { env = process.env } = options
  const address = notifySocketOf(env)
  const sending = notify({ fdStoreRemove: true, fdName: checkName(name) }, options)
  // At once: what is stored after this call is not removed by it.
  const putBack = address === undefined ? undefined : stores.get(address)?.remove(name)
  try {
    return await sending
  } catch (error) {
    putBack?.()
    throw error
  }
}

function storeOf(address: string): StoredDescriptors {
  const store = stores.get(address) ?? new StoredDescriptors()
  stores.set(address, store)
  return store
}

// The rest is for the grammar of FDNAME= to judge; undefined would leave it out.
function checkName(name: string): string {
  if (typeof name !== 'string') throw invalidArgType('name', 'a string', name)
  return name
}

function checkDuplicates(
  fds: readonly number[],
  store: StoredDescriptors,
  replaced: string | undefined,
): void {
  for (const [index, fd] of fds.entries()) {
    const twin = fds
      .slice(0, index)
      .find((earlier) => earlier === fd || isSameOpenFile(earlier, fd))
    if (twin !== undefined) throw duplicate(fd, `descriptor ${twin}, which is given too`)
    const other = store.nameOf(fd, replaced)
    if (other !== undefined) throw duplicate(fd, `one that is stored as '${other}' already`)
  }
}

function duplicate(fd: number, what: string): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_DUPLICATE_FD',
    `descriptor ${fd} is the same open file as ${what}: the service manager would keep that one, under its name, and say nothing`,
    { value: fd },
  )
}

// Before 254 the limit is not told, and with it not whether there is a store at all.
function checkLimit(env: NodeJS.ProcessEnv, count: number): void {
  const text = readVariable(env, 'FDSTORE')
  if (text === undefined) {
    // Newer ones tell this, too, nearly always.
    if (readVariable(env, 'MEMORY_PRESSURE_WATCH') !== undefined) throw disabled('is not set')
    log()(
      'FDSTORE is not set: systemd is older than 254, or the unit has no FileDescriptorStoreMax=',
    )
    return
  }
  const limit = parseInteger(text) ?? 0n
  if (limit === 0n) throw disabled(`is '${text}'`)
  if (BigInt(count) > limit) throw full(count, limit)
}

function disabled(state: string): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_FDSTORE_DISABLED',
    `the unit has no descriptor store ($FDSTORE ${state}), and the service manager would close the descriptors and say nothing: ` +
      'set FileDescriptorStoreMax= in the unit',
  )
}

function full(count: number, limit: bigint): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_FDSTORE_FULL',
    `${count} descriptors would be stored, and the unit's FileDescriptorStoreMax= is ${limit}: the service manager would ` +
      'close what is beyond it and say nothing',
    { value: count },
  )
}
