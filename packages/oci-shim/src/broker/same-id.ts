/** Whether two ids of requests, each of 32 digits, are the same; how long it takes does not tell how much of one was right. */
export function isSameId(one: string, other: string): boolean {
  const { timingSafeEqual } = process.getBuiltinModule('node:crypto')
  return timingSafeEqual(Buffer.from(one), Buffer.from(other))
}
