// Calls every function that the addon exports with everything that it should not get. It must throw an Error with a code,
// or return a number; a function that is added later is called in the same way.
//
// No number here means anything: none is a descriptor, a process, a signal or a set of options.
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { native } from '../../dist/native.js'

const MOST_ARGUMENTS = 7
const CALLS_PER_FUNCTION = 3000
const integers = [-1, -(2 ** 31), 2 ** 31 - 1]
const numbers = [Number.NaN, Infinity, -0.5, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53)]
const things = [
  undefined,
  null,
  true,
  '',
  'text',
  1n,
  Symbol('s'),
  {},
  [],
  [1],
  new Date(),
  /x/,
  new Map(),
]
const throwing = [
  { valueOf: thrower, toString: thrower, [Symbol.toPrimitive]: thrower },
  {
    get length() {
      return thrower()
    },
    get buffer() {
      return thrower()
    },
  },
  new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower }),
  new Proxy(new Uint8Array(4), { get: thrower }),
  new (class extends Uint8Array {
    get length() {
      return thrower()
    }
    get byteLength() {
      return thrower()
    }
  })(4),
]
const views = [Uint8Array, Int32Array].flatMap((View) => [
  new View(0),
  new View(1),
  new View(4096),
  new View(new SharedArrayBuffer(64)),
  new View(new ArrayBuffer(72), 4, 1),
  detached(new View(16)),
  shrunk(View),
  outOfBounds(View),
  grown(View),
])
views.push(huge())
// Zero is a descriptor.
for (const view of views) if (view instanceof Int32Array && view.length > 0) view.fill(-1)
const otherViews = [
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Uint32Array,
  Float64Array,
  BigInt64Array,
]
const others = [
  ...otherViews.map((View) => new View(4)),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  new SharedArrayBuffer(8),
]
const all = [...integers, ...numbers, ...things, ...throwing, ...views, ...others]
// What is most likely to come through the first checks comes more often.
const likely = [...integers, ...integers, ...views]

const addon = native()
let seed = 42
for (const [name, call] of Object.entries(addon)) {
  attempt(name, call, [])
  for (const value of [...all, thrower, Date]) {
    for (let count = 1; count <= MOST_ARGUMENTS; count++)
      attempt(name, call, Array(count).fill(value))
  }
  for (let round = 0; round < CALLS_PER_FUNCTION; round++) {
    const args = Array.from({ length: random(MOST_ARGUMENTS + 1) }, () =>
      pick(random(3) === 0 ? all : likely),
    )
    attempt(name, call, args)
  }
}
process.stdout.write('alive\n', () => process.exit())

function attempt(name, call, args) {
  let result
  try {
    result = call(...args)
  } catch (error) {
    assert.ok(
      error instanceof Error && typeof error.code === 'string',
      `${name}: ${inspect(error)}`,
    )
    return
  }
  assert.equal(typeof result, 'number', `${name} returned ${inspect(result)}`)
}

function thrower() {
  throw new Error('of the argument')
}

function detached(view) {
  structuredClone(view.buffer, { transfer: [view.buffer] })
  return view
}

function shrunk(View) {
  const buffer = new ArrayBuffer(4096, { maxByteLength: 8192 })
  const view = new View(buffer)
  buffer.resize(8)
  return view
}

function outOfBounds(View) {
  const buffer = new ArrayBuffer(4096, { maxByteLength: 8192 })
  const view = new View(buffer, 2048, 16)
  buffer.resize(8)
  return view
}

function grown(View) {
  const buffer = new SharedArrayBuffer(8, { maxByteLength: 4096 })
  const view = new View(buffer)
  buffer.grow(4096)
  return view
}

/** More bytes than 32 bits can count; they take no memory until somebody writes. */
function huge() {
  try {
    return new Uint8Array(2 ** 32 + 16)
  } catch {
    return new Uint8Array(2 ** 20)
  }
}

function pick(list) {
  return list[random(list.length)]
}

/** The same in every run (mulberry32). */
function random(below) {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), seed | 1)
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % below
}
