import { serveGroup, startGroup } from './adopt-groups.js'
import { daemonForwardGroup, daemonMemoryGroup } from './daemon-groups.js'
import { enduranceGroup } from './endurance-group.js'
import { forwardGroup, forwardManyGroup } from './forward-groups.js'
import { hookGroup } from './hook-group.js'
import { importGroup } from './import-group.js'
import { launchGroups } from './launch-groups.js'
import { latencyGroup } from './latency-group.js'
import { memoryGroup } from './memory-group.js'
import { receiveGroup } from './receive-group.js'
import { runtimeGroups } from './runtime-groups.js'
import { floodGroup, sendGroup } from './send-groups.js'

/**
 * One run of a contestant: nanoseconds for each message (or program), or what the group's unit says; and whether all that was
 * sent has arrived; `heap` in bytes. Undefined: it cannot run here.
 *
 * @typedef {{ time: number | number[], cpu?: number, heap?: number, sent?: number, arrived?: number }} Sample `time` is that of
 *   each message where their spread is what is measured.
 * @typedef {{ title: string, run: () => Promise<Sample | undefined> }} Contestant
 * @typedef {object} Group
 * @property {string} name
 * @property {string} title What its numbers are.
 * @property {string} method How they come about.
 * @property {'ns' | 'us' | 'ms' | 'KiB'} unit
 * @property {{ title: string, name: string }} [second] Another one to compare with, and its name at the head of that column.
 * @property {Contestant[]} contestants The first is what the others are compared with.
 */

/**
 * @typedef {object} Setting
 * @property {import('./workshop.js').Workshop} workshop
 * @property {import('./engine-machine.js').EngineMachine} engines
 * @property {number} count
 * @property {number} settleMs how long a program is left alone before its memory is measured
 * @property {import('../support/rivals.js').Rival[]} rivals
 */

/** @type {Record<string, (setting: Setting) => Group | Group[]>} */
export const groups = {
  send: sendGroup,
  flood: floodGroup,
  endurance: enduranceGroup,
  receive: receiveGroup,
  start: startGroup,
  serve: serveGroup,
  import: importGroup,
  memory: memoryGroup,
  'daemon-memory': daemonMemoryGroup,
  launch: launchGroups,
  runtime: runtimeGroups,
  hook: hookGroup,
  forward: forwardGroup,
  'forward-100': forwardManyGroup,
  'daemon-forward': daemonForwardGroup,
  'latency-1': (setting) => latencyGroup(setting, 1),
  'latency-100': (setting) => latencyGroup(setting, 100),
  'latency-1000': (setting) => latencyGroup(setting, 1000),
}
