import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findUnixDgram } from '../support/unix-dgram.js'
import { works } from '../support/real-program.js'
import { type Example, examples } from './examples.js'
import { runExample } from './running-example.js'
import { Workshop } from './workshop.js'

const unixDgram = await findUnixDgram()
const isHere: Readonly<Record<string, boolean>> = {
  'systemd-notify': works('systemd-notify', '--version'),
  'unix-dgram': unixDgram !== undefined,
}
const all = examples('js', 'ts')
const whole = all.filter(({ steps }) => steps.every(({ kind }) => kind !== 'fragment'))

describe('each example of the documentation', () => {
  let workshop: Workshop
  let typeErrors: ReadonlyMap<string, string>

  beforeAll(async () => {
    workshop = new Workshop(
      whole,
      unixDgram === undefined ? {} : { 'unix-dgram': dirname(dirname(unixDgram.path)) },
    )
    typeErrors = await workshop.typeErrors(whole)
  }, 120_000)

  afterAll(() => workshop?.remove())

  const runnable = all.filter((example) => {
    const reason = reasonNotToRun(example)
    if (reason !== undefined) process.stderr.write(`${example.name} is not run: ${reason}\n`)
    return reason === undefined
  })
  test.concurrent.for(runnable)('$name', { timeout: 90_000 }, async (example) => {
    expect(typeErrors.get(example.name) ?? 'no mistake').toBe('no mistake')
    await runExample(workshop.programOf(example), example.steps)
  })
})

function reasonNotToRun({ steps }: Example): string | undefined {
  for (const step of steps) {
    if (step.kind === 'fragment') return step.reason
    if (step.kind !== 'needs') continue
    const found = isHere[step.what]
    if (found === undefined) throw new Error(`nobody looks whether ${step.what} is here`)
    if (!found) return `${step.what} is not here`
  }
  return undefined
}
