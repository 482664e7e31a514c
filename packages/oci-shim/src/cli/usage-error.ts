/** A mistake on the command line of sdbridge itself. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
