/**
 * What the receiver tells (forwarding.c), in nanoseconds: how long its messages took together, the processor time of who sent them to it, and
 * how long each was under way that had a time.
 *
 * @typedef {{ wall: number, cpu: number, times: number[] }} Collected
 */

/**
 * Lets a payload send through a relay, or past it.
 *
 * @param {import('./workshop.js').Workshop} workshop
 * @param {import('./relays.js').StartRelay | undefined} startRelay
 * @param {[before: number, measured: number]} counts of messages
 * @param {(path: string) => string[]} sender what the program in C is given, that sends that many
 * @returns {Promise<Collected>}
 */
export async function collect(workshop, startRelay, counts, sender) {
  const upstream = workshop.newSocketPath()
  const words = ['collect', upstream, ...counts.map(String)]
  const receiver = await workshop.start(workshop.peer, words).ready()
  const relay = await startRelay?.(workshop, upstream)
  const payload = workshop.start(workshop.peer, sender(relay?.path ?? upstream))
  const collected = await receiver.report()
  await payload.end()
  await relay?.stop()
  await receiver.kill()
  return /** @type {Collected} */ (collected)
}
