/** Where a container's runtime asks for the descriptors of its unit, and by what it shows which start it belongs to. */
export interface DescriptorRequest {
  /** 32 hexadecimal digits, good for one answer. */
  readonly id: string
  /** The absolute path of the bridge's socket. */
  readonly path: string
}

/** How a container whose engine carries no descriptors comes by those of its unit: its runtime asks for them. */
export interface DescriptorDoor {
  /** The runtime to add to the command line; `undefined` if the engine uses it as it is. */
  readonly runtime: string | undefined
  /** What tells the runtime that the container asks, and whom. */
  readonly carrier: 'annotation' | 'variable'
}

/** The annotation that carries a request. */
export const REQUEST_ANNOTATION = 'io.sdbridge.descriptors'

/** The same where an engine cannot annotate: the runtime takes it out of the payload's environment. */
export const REQUEST_VARIABLE = 'SDBRIDGE_DESCRIPTORS'

/** @param path The socket at which the bridge waits. */
export function newRequest(path: string): DescriptorRequest {
  // Not loaded for the many that have no request: see decision 0019.
  const { randomBytes } = process.getBuiltinModule('node:crypto')
  return { id: randomBytes(16).toString('hex'), path }
}

export function formatRequest({ id, path }: DescriptorRequest): string {
  return `${id}@${path}`
}

/** @returns `undefined` for any other text. */
export function parseRequest(text: string): DescriptorRequest | undefined {
  const [, id, path] = /^([\da-f]{32})@(\/[^\0]{1,4000})$/s.exec(text) ?? []
  return id === undefined || path === undefined ? undefined : { id, path }
}
