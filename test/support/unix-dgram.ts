import { installRival, pathOfRival, requireRival } from './rivals.js'

/**
 * The npm package unix-dgram, compiled for this Node, in the cache. Says why tests are skipped if it cannot be had, and throws
 * instead where `SDBRIDGE_REQUIRE_SYSTEM=1` promises that everything is there.
 */
export async function findUnixDgram(): Promise<{ module: UnixDgram; path: string } | undefined> {
  const reason = await installRival('unix-dgram')
  if (reason === undefined) {
    return { module: requireRival('unix-dgram') as UnixDgram, path: pathOfRival('unix-dgram') }
  }
  const told = `tests need the npm package unix-dgram, which cannot be had: ${reason}`
  if (process.env['SDBRIDGE_REQUIRE_SYSTEM'] === '1') throw new Error(told)
  process.stderr.write(`${told}; they are skipped\n`)
  return undefined
}

export interface UnixDgram {
  createSocket(type: 'unix_dgram'): unknown
}
