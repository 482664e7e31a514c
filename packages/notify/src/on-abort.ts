/** One listener of ours for each signal, however many wait for it: with more than ten, Node warns of a leak. */
const listening = new WeakMap<AbortSignal, Listening>()

/** Calls back once when the signal fires, unless it has fired already; returns what ends that. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, listener } = listening.get(signal) ?? listen(signal)
  callbacks.add(callback)
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return
    signal.removeEventListener('abort', listener)
    listening.delete(signal)
  }
}

interface Listening {
  readonly callbacks: Set<() => void>
  readonly listener: () => void
}

function listen(signal: AbortSignal): Listening {
  const callbacks = new Set<() => void>()
  const listener = (): void => {
    for (const callback of callbacks) callback()
  }
  signal.addEventListener('abort', listener, { once: true })
  const started = { callbacks, listener }
  listening.set(signal, started)
  return started
}
