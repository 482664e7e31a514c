import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('contestants/endure.js', import.meta.url))
/** How many messages were sent before those that are measured, for each that the other groups send. */
const BEFORE = [0.5, 2, 5, 10, 19.8]

/** @param {import('./groups.js').Setting} setting @returns {import('./groups.js').Group} */
export function enduranceGroup({ workshop, count }) {
  const marks = BEFORE.map((part) => Math.ceil(part * count))
  const window = Math.ceil(count / 5)
  /** @type {Promise<Endured> | undefined} */
  let endured
  return {
    name: 'endurance',
    title: 'Sending: the cost of a message, and the heap, over many messages of one process',
    method:
      `One process sends ${(20 * count).toLocaleString('en')} messages \`notify({ ready: true, status })\`, each with another text. ` +
      `Measured are ${window.toLocaleString('en')} of ` +
      'them at a time, as in the first table; the heap is what V8 uses after a garbage collection. The first message of a ' +
      'process also loads the addon, connects, and is not compiled yet.',
    unit: 'ns',
    contestants: [
      ...marks.map((before, index) => ({
        title: `after ${before.toLocaleString('en')} messages`,
        // All rows of a round are one process.
        run: async () => {
          if (index === 0) endured = endure(workshop, [window, ...marks])
          return (await endured)?.windows[index]
        },
      })),
      { title: 'the first message', run: async () => (await endured)?.first },
    ],
  }
}

/** @typedef {{ first: import('./groups.js').Sample, windows: import('./groups.js').Sample[] }} Endured */

/** @param {import('./workshop.js').Workshop} workshop @param {number[]} numbers @returns {Promise<Endured>} */
async function endure(workshop, numbers) {
  const path = workshop.newSocketPath()
  const sink = await workshop.start(workshop.peer, ['sink', path, '0']).ready()
  const program = workshop.start(process.execPath, [
    '--expose-gc',
    PROGRAM,
    path,
    ...numbers.map(String),
  ])
  const outcome = /** @type {unknown} */ (await program.outcome())
  await sink.stop().outcome()
  return /** @type {Endured} */ (outcome)
}
