import { serveGroup, startGroup } from './adopt-groups.js'
import { enduranceGroup } from './endurance-group.js'
import { importGroup } from './import-group.js'
import { launchGroups } from './launch-groups.js'
import { memoryGroup } from './memory-group.js'
import { receiveGroup } from './receive-group.js'
import { floodGroup, sendGroup } from './send-groups.js'

/**
 * One run of a contestant: nanoseconds for each message (or program), or what the group's unit says; and whether all that was
 * sent has arrived; `heap` in bytes. Undefined: it cannot run here.
 *
 * @typedef {{ time: number, cpu?: number, heap?: number, sent?: number, arrived?: number }} Sample
 * @typedef {{ title: string, run: () => Promise<Sample | undefined> }} Contestant
 * @typedef {object} Group
 * @property {string} name
 * @property {string} title What its numbers are.
 * @property {string} method How they come about.
 * @property {'ns' | 'ms' | 'KiB'} unit
 * @property {string} [second] The title of another one to compare with.
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
  launch: launchGroups,
}
