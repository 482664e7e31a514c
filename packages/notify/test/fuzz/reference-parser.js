// @ts-check
// What sd_notify(3) and the sources of systemd say of a message, written down a second time, byte by byte and one key
// after the other, as the service manager does it. It shares nothing with src/, so that a mistake must be made twice.

/**
 * @typedef {{ rejected: string } | { lines: string[], assignments: Record<string, unknown> }} Reading
 */

const NUL = 0
const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const BACKSLASH = 92
const MAX = 2n ** 64n - 1n

/**
 * @param {Uint8Array} datagram
 * @returns {Reading}
 */
export function readMessage(datagram) {
  const length = datagram.at(-1) === NUL ? datagram.length - 1 : datagram.length
  const message = datagram.subarray(0, length)
  for (const byte of message) if (byte === NUL) return { rejected: 'embedded-nul' }
  const lines = splitLines(message)
  if (lines === undefined) return { rejected: 'trailing-backslash' }
  return { lines: lines.map((line) => line.toString('utf8')), assignments: readAll(lines) }
}

/**
 * @param {Uint8Array} message
 * @returns {Buffer[] | undefined}
 */
export function splitLines(message) {
  /** @type {Buffer[]} */
  const lines = []
  /** @type {number[]} */
  let line = []
  for (let at = 0; at < message.length; at++) {
    const byte = message[at]
    if (byte === LF || byte === CR) {
      if (line.length > 0) lines.push(Buffer.from(line))
      line = []
    } else if (byte === BACKSLASH) {
      at++
      if (at === message.length) return undefined
      line.push(/** @type {number} */ (message[at]))
    } else {
      line.push(/** @type {number} */ (byte))
    }
  }
  if (line.length > 0) lines.push(Buffer.from(line))
  return lines
}

/** @param {Buffer[]} lines */
function readAll(lines) {
  const has = (/** @type {string} */ line) => lines.some((each) => each.toString('latin1') === line)
  const first = (/** @type {string} */ key) => {
    const found = lines.find((each) => each.toString('latin1').startsWith(`${key}=`))
    return found?.subarray(key.length + 1)
  }
  const number = (/** @type {string} */ key) => readInteger(first(key))
  /** @type {Record<string, unknown>} */
  const said = {}
  const put = (/** @type {string} */ property, /** @type {unknown} */ value) => {
    if (value !== undefined && value !== false) said[property] = value
  }

  put('ready', has('READY=1'))
  put('reloading', has('RELOADING=1'))
  if (has('RELOADING=1')) put('monotonicUsec', number('MONOTONIC_USEC'))
  put('stopping', has('STOPPING=1'))

  const status = first('STATUS')
  if (status !== undefined) put('status', isSystemdUtf8(status) ? status.toString('utf8') : '')

  const access = first('NOTIFYACCESS')?.toString('latin1')
  if (['none', 'main', 'exec', 'all'].includes(access ?? '')) put('notifyAccess', access)

  put('errno', readErrno(first('ERRNO')))
  for (const [key, property] of [
    ['BUSERROR', 'busError'],
    ['VARLINKERROR', 'varlinkError'],
  ]) {
    const name = first(/** @type {string} */ (key))
    if (
      name?.every((byte) => isPrintable(byte) && !`"'\\*?[`.includes(String.fromCharCode(byte)))
    ) {
      put(/** @type {string} */ (property), name.toString('latin1'))
    }
  }

  const exitStatus = number('EXIT_STATUS')
  if (exitStatus !== undefined && exitStatus <= 255n) put('exitStatus', Number(exitStatus))

  const pid = number('MAINPID')
  const pidFdId = number('MAINPIDFDID')
  const idIsWrong = first('MAINPIDFDID') !== undefined && pidFdId === undefined
  if (pid !== undefined && pid >= 1n && pid < 2n ** 31n && !idIsWrong) {
    put('mainPid', Number(pid))
    put('mainPidFdId', pidFdId)
  }
  put('mainPidFd', has('MAINPIDFD=1'))

  const watchdog = first('WATCHDOG')?.toString('latin1')
  put('watchdog', watchdog === '1' || (watchdog === 'trigger' && watchdog))
  put('watchdogUsec', number('WATCHDOG_USEC'))
  const extension = number('EXTEND_TIMEOUT_USEC')
  if (extension !== 0n && extension !== MAX) put('extendTimeoutUsec', extension)
  put('restartReset', has('RESTART_RESET=1'))

  const fdName = first('FDNAME')
  const isName = fdName !== undefined && isFdName(fdName)
  if (has('FDSTOREREMOVE=1')) {
    if (isName) {
      put('fdStoreRemove', true)
      put('fdName', fdName.toString('latin1'))
    }
  } else if (has('FDSTORE=1')) {
    put('fdStore', true)
    if (fdName !== undefined) put('fdName', isName ? fdName.toString('latin1') : 'stored')
    if (has('FDPOLL=0')) said['fdPoll'] = false
  }
  put('barrier', has('BARRIER=1'))
  put('extra', readExtra(lines))
  return said
}

/**
 * safe_atollu() of systemd, and strtoull() of C below it.
 *
 * @param {Uint8Array | undefined} text
 * @returns {bigint | undefined}
 */
export function readInteger(text) {
  if (text === undefined) return undefined
  let at = 0
  while ([TAB, LF, CR, SPACE].includes(text[at] ?? -1)) at++
  let base = 0
  if (text[at] === 0x30 && 'bBoO'.includes(String.fromCharCode(text[at + 1] ?? SPACE))) {
    base = 'bB'.includes(String.fromCharCode(text[at + 1] ?? SPACE)) ? 2 : 8
    at += 2
  }
  while ((text[at] ?? 0) === SPACE || ((text[at] ?? 0) >= TAB && (text[at] ?? 0) <= CR)) at++
  const isNegative = text[at] === 0x2d
  if (isNegative || text[at] === 0x2b) at++
  if (base === 0 && text[at] === 0x30 && ((text[at + 1] ?? 0) | 0x20) === 0x78) {
    base = 16
    at += 2
  } else if (base === 0) {
    base = text[at] === 0x30 ? 8 : 10
  }
  if (at >= text.length) return undefined
  let value = 0n
  for (; at < text.length; at++) {
    const digit = '0123456789abcdef'.indexOf(String.fromCharCode(text[at] ?? 0).toLowerCase())
    if (digit < 0 || digit >= base) return undefined
    value = value * BigInt(base) + BigInt(digit)
  }
  return value > MAX || (isNegative && value > 0n) ? undefined : value
}

/** @param {Uint8Array | undefined} text */
function readErrno(text) {
  if (text === undefined) return undefined
  const names = { ENOENT: 2, EAGAIN: 11, EWOULDBLOCK: 11, ENOTSUP: 95 }
  const name = Buffer.from(text).toString('latin1').toUpperCase()
  if (Object.hasOwn(names, name)) return names[/** @type {keyof typeof names} */ (name)]
  const value = readInteger(text)
  return value !== undefined && value <= 4095n ? Number(value) : undefined
}

/** @param {Buffer[]} lines */
function readExtra(lines) {
  /** @type {Map<string, string>} */
  const extra = new Map()
  for (const line of lines) {
    const equals = line.indexOf('=')
    const key = line.subarray(0, Math.max(equals, 0)).toString('latin1')
    if (!key.startsWith('X_') || key === 'X_' || /[^A-Za-z0-9_]/.test(key) || extra.has(key))
      continue
    extra.set(key, line.subarray(equals + 1).toString('utf8'))
  }
  return extra.size === 0 ? undefined : Object.fromEntries(extra)
}

/** @param {Uint8Array} name */
function isFdName(name) {
  return name.length <= 255 && name.every((byte) => isPrintable(byte) && byte !== 0x3a)
}

/** @param {number} byte */
function isPrintable(byte) {
  return byte >= SPACE && byte < 0x7f
}

/**
 * utf8_is_valid() of systemd.
 *
 * @param {Uint8Array} text
 */
export function isSystemdUtf8(text) {
  for (let at = 0; at < text.length;) {
    const lead = text[at] ?? 0
    const length =
      lead < 0x80 ? 1 : lead >> 5 === 6 ? 2 : lead >> 4 === 14 ? 3 : lead >> 3 === 30 ? 4 : 0
    if (length === 0 || at + length > text.length) return false
    let code = length === 1 ? lead : lead & (0x7f >> length)
    for (const byte of text.subarray(at + 1, at + length)) {
      if (byte >> 6 !== 2) return false
      code = (code << 6) | (byte & 0x3f)
    }
    const isShortest = code >= /** @type {number} */ ([0, 0, 0x80, 0x800, 0x10000][length])
    const isSurrogate = code >= 0xd800 && code <= 0xdfff
    const isNoncharacter = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe
    if (!isShortest || isSurrogate || isNoncharacter || code > 0x10ffff) return false
    at += length
  }
  return true
}
