import { type Connection, connectSocket } from '@sdbridge/syscalls'

/** Who is expected at a socket, and what to do if nobody is there. */
export interface ExpectedBroker {
  readonly path: string
  readonly who: string
  readonly remedy: string
}

/** @throws Error that says what was expected, what was found and what to do. */
export async function connectToBroker(
  { path, who, remedy }: ExpectedBroker,
  signal: AbortSignal,
): Promise<Connection> {
  try {
    const address = { family: 'unix', path } as const
    return await connectSocket({ type: 'seqpacket', address, signal })
  } catch (error) {
    throw new Error(
      `expected ${who} at ${path}, found nobody (${(error as Error).message}): ${remedy}`,
      { cause: error },
    )
  }
}
