import type { Readable } from 'node:stream'

/** How much is read, and for how long. */
interface Bounds {
  readonly mostBytes: number
  readonly timeoutMs: number
}

/**
 * Reads a stream to its end, and closes it.
 *
 * @throws Error if it is longer, or does not end in that time.
 */
export function readBounded(input: Readable, { mostBytes, timeoutMs }: Bounds): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const end = (error?: Error): void => {
      clearTimeout(timer)
      input.destroy()
      if (error === undefined) resolve(Buffer.concat(chunks).toString())
      else reject(error)
    }
    const timer = setTimeout(
      () => end(new Error(`standard input did not end in ${timeoutMs / 1000} s`)),
      timeoutMs,
    )
    input.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > mostBytes) end(new Error(`standard input is longer than ${mostBytes} bytes`))
      else chunks.push(chunk)
    })
    input.on('end', () => end())
    input.on('error', (error) => end(error))
  })
}
