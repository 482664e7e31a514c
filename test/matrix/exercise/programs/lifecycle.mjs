// A service that lives by lifecycle(), until it is told to stop.
import { lifecycle } from '@sdbridge/notify'

const timer = setInterval(() => {}, 1000)
await lifecycle({
  start: () => 'up',
  reload: () => {},
  stop: () => {
    clearInterval(timer)
    return 5
  },
})
