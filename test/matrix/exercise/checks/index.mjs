// Every check: its name, and a function that gets a Scope and throws when something is wrong. A new one goes into
// the file of its subject; a new file is named here.
import { activation } from './activation.mjs'
import { connections } from './connections.mjs'
import { datagrams } from './datagrams.mjs'
import { descriptors } from './descriptors.mjs'
import { errors } from './errors.mjs'
import { manager } from './manager.mjs'
import { messageQueues } from './message-queues.mjs'
import { notifications } from './notifications.mjs'
import { processes } from './processes.mjs'
import { sockets } from './sockets.mjs'
import { threads } from './threads.mjs'

export const allChecks = {
  ...datagrams,
  ...descriptors,
  ...sockets,
  ...connections,
  ...messageQueues,
  ...processes,
  ...notifications,
  ...manager,
  ...activation,
  ...threads,
  ...errors,
}
