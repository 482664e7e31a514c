import { isUtf8 } from 'node:buffer'
import {
  type AcceptedMessage,
  type AssignmentProperty,
  type ParsedAssignments,
  wireKey,
  withoutControls,
} from '@sdbridge/notify/relay'
import type { Arrival } from './arrival.js'
import type { DropReason } from './drop.js'
import { FIELD_RULES } from './field-rules.js'
import { checkMainPidfd, findMainProcess, type OurProcess, type Refusal } from './main-process.js'
import { ourMonotonicUsec } from './reload-time.js'
import { isPollable } from './is-pollable.js'
import { reportLines } from './report-lines.js'
import { storedName } from './stored-name.js'
import type { StoreQuota } from './store-quota.js'

/** What decides about the fields of a container's messages. */
export interface TranslationRules {
  readonly mainPid: boolean
  readonly notifyAccess: boolean
  readonly store: { readonly prefix: string; readonly quota: StoreQuota } | undefined
  /** The container's first process, as we call it; `undefined` if that is not known. */
  readonly init: () => number | undefined
}

/**
 * Makes of a payload's message what the service manager may be told: fields that are allowed, in the host's terms. The descriptors
 * that are left in the arrival are those that go with it.
 */
export function translate(
  message: AcceptedMessage,
  arrival: Arrival,
  rules: TranslationRules,
): ParsedAssignments {
  const { report, fds } = arrival
  reportLines(message, report)
  // The message was read for us alone.
  const { assignments } = message
  leaveOutForbidden(assignments, arrival, rules)
  translateTexts(message, arrival)
  translateReload(assignments, arrival, rules)
  translateMainPid(assignments, arrival, rules)
  translateMainPidfd(assignments, arrival, rules)
  translateStoring(assignments, arrival, rules)
  if (fds.count > 0 && !assignments.mainPidFd && !assignments.fdStore) {
    report(
      'descriptors-unused',
      `${fds.count} descriptor(s) came with it that no field uses`,
      'descriptors',
    )
    fds.close()
  }
  return assignments
}

function leaveOutForbidden(
  assignments: ParsedAssignments,
  { fds, report }: Arrival,
  rules: TranslationRules,
): void {
  // Its descriptor is used up by the service manager, and is not one to store.
  if (assignments.mainPidFd && !rules.mainPid && fds.count === 1) fds.close()
  for (const property of Object.keys(assignments) as (keyof ParsedAssignments)[]) {
    const { forward, because } = FIELD_RULES[property]
    if (forward === 'always' || (forward !== 'store' && rules[forward])) continue
    if (forward === 'store' && rules.store !== undefined) continue
    delete assignments[property]
    if (property === 'fdStore') fds.close()
    const key = wireKey(property as AssignmentProperty)
    if (forward === 'store') report('no-store', 'the unit has no descriptor store for it', key)
    else report('not-allowed', because, key)
  }
}

function translateTexts(message: AcceptedMessage, { datagram, report }: Arrival): void {
  const { assignments, problems } = message
  // systemd would clear the status that it cannot read.
  if (problems.some(({ assignment }) => assignment === 'STATUS')) delete assignments.status
  if (assignments.status !== undefined) {
    // On its way to a terminal of the host's.
    assignments.status = withoutControls(assignments.status)
  }
  if (assignments.extra === undefined || isUtf8(datagram.data)) return
  for (const [key, value] of Object.entries(assignments.extra)) {
    if (!value.includes('\ufffd')) continue
    delete assignments.extra[key as `X_${string}`]
    report('invalid', 'its value is no UTF-8', key)
  }
}

function translateReload(
  assignments: ParsedAssignments,
  { datagram }: Arrival,
  { init }: TranslationRules,
): void {
  if (assignments.monotonicUsec === undefined) return
  const pids = [datagram.sender?.pid, init()]
  assignments.monotonicUsec = ourMonotonicUsec(assignments.monotonicUsec, pids)
}

function translateMainPid(
  assignments: ParsedAssignments,
  { datagram, report }: Arrival,
  { init }: TranslationRules,
): void {
  const { mainPid, mainPidFdId } = assignments
  if (mainPid === undefined) return
  delete assignments.mainPidFdId
  const { pidfd, sender } = datagram
  const found = attempt(() => findMainProcess(mainPid, { pid: sender!.pid, pidfd }, init()))
  if ('reason' in found) {
    delete assignments.mainPid
    report(found.reason, found.text, 'MAINPID')
  } else if (mainPidFdId !== undefined && mainPidFdId !== found.pidfdId) {
    delete assignments.mainPid
    report('pidfd-id-mismatch', `MAINPIDFDID=${mainPidFdId} is not process ${mainPid}`, 'MAINPID')
  } else {
    assignments.mainPid = found.pid
    // Sent in any case: the number may be another process' when the service manager reads it.
    if (found.pidfdId !== undefined) assignments.mainPidFdId = found.pidfdId
  }
}

function translateMainPidfd(
  assignments: ParsedAssignments,
  arrival: Arrival,
  { init }: TranslationRules,
): void {
  const { datagram, fds, report } = arrival
  if (!assignments.mainPidFd) return
  const [fd] = fds.all
  if (fd === undefined || fds.count !== 1 || datagram.controlTruncated) {
    // As systemd does; they may be there for FDSTORE=1.
    delete assignments.mainPidFd
    report('no-descriptor', 'it must come with exactly one descriptor', 'MAINPIDFD')
    return
  }
  const found = attempt(() => checkMainPidfd(fd, init()))
  if ('reason' in found) {
    delete assignments.mainPidFd
    report(found.reason, found.text, 'MAINPIDFD')
    fds.close()
  } else if (assignments.fdStore) {
    leaveOutStoring(assignments, arrival, 'no-descriptor', 'MAINPIDFD=1 has used the descriptor up')
  }
}

function translateStoring(
  assignments: ParsedAssignments,
  arrival: Arrival,
  { store }: TranslationRules,
): void {
  const { datagram, fds } = arrival
  const { fdName, fdStore, fdStoreRemove } = assignments
  if (store === undefined || !(fdStore || fdStoreRemove)) return
  const name = storedName(store.prefix, fdName)
  if (name === undefined) {
    const text = `with the container’s prefix '${store.prefix}' its name is longer than 255 bytes`
    return leaveOutStoring(assignments, arrival, 'name-too-long', text)
  }
  assignments.fdName = name
  if (fdStoreRemove) return store.quota.remove(name)
  if (datagram.controlTruncated) {
    const text = 'its descriptors did not arrive whole: too many, or no room in the bridge’s table'
    return leaveOutStoring(assignments, arrival, 'descriptors-lost', text)
  }
  if (fds.count === 0) {
    return leaveOutStoring(assignments, arrival, 'no-descriptor', 'there is nothing to store')
  }
  if (assignments.fdPoll !== false && !fds.all.every(isPollable)) {
    const text =
      'one of its descriptors cannot be watched (opened with O_PATH, say), and systemd would keep none; FDPOLL=0 has it not watch'
    return leaveOutStoring(assignments, arrival, 'not-pollable', text)
  }
  const { limit, total } = store.quota
  if (!store.quota.hasRoomFor(fds.count)) {
    const text = `${total} of ${limit} are stored, and ${fds.count} came`
    return leaveOutStoring(assignments, arrival, 'store-full', text)
  }
  store.quota.add(name, fds.count)
}

function leaveOutStoring(
  assignments: ParsedAssignments,
  { fds, report }: Arrival,
  reason: DropReason,
  text: string,
): void {
  report(reason, text, assignments.fdStore ? 'FDSTORE' : 'FDSTOREREMOVE')
  if (!assignments.mainPidFd) fds.close()
  for (const property of ['fdStore', 'fdStoreRemove', 'fdName', 'fdPoll'] as const) {
    delete assignments[property]
  }
}

function attempt(look: () => OurProcess | Refusal): OurProcess | Refusal {
  try {
    return look()
  } catch (error) {
    return { reason: 'no-process', text: (error as Error).message }
  }
}
