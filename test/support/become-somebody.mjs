// A program becomes another user only when all of it is loaded: the checkout may be in a directory that this user
// may not enter.
import { describeSocket } from '@sdbridge/syscalls'

/** Becomes the user and group of TEST_IDS=UID:GID, if it is set. */
export function becomeSomebody() {
  const [uid, gid] = process.env.TEST_IDS?.split(':').map(Number) ?? []
  if (uid === undefined) return
  describeSocket(0) // Loads the addon.
  process.setgroups([])
  process.setgid(gid)
  process.setuid(uid)
}
