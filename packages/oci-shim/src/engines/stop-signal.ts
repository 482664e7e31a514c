import { constants } from 'node:os'

/**
 * The number of the signal that stops a container: of an image's STOPSIGNAL, as the annotation
 * `org.opencontainers.image.stopSignal` has it (`SIGQUIT`, `QUIT`, `3`, `SIGRTMIN+3`). SIGTERM if it says nothing that is a signal.
 */
export function stopSignalNumber(text: string | undefined): number {
  return parse(text?.trim().toUpperCase() ?? '') ?? constants.signals.SIGTERM
}

function parse(text: string): number | undefined {
  if (/^\d+$/.test(text)) return inRange(Number(text))
  const name = text.startsWith('SIG') ? text : `SIG${text}`
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name)
  if (realTime !== null) {
    const [, end, sign, offset = '0'] = realTime
    return inRange((end === 'MIN' ? 34 : 64) + (sign === '-' ? -1 : 1) * Number(offset))
  }
  return Object.entries(constants.signals).find(([each]) => each === name)?.[1]
}

function inRange(number: number): number | undefined {
  return number >= 1 && number <= 64 ? number : undefined
}
