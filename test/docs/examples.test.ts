import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examples } from './examples.js'
import { runExample } from './running-example.js'
import { Workshop } from './workshop.js'

const all = examples('js', 'ts')
const whole = all.filter(({ steps }) => steps.every(({ kind }) => kind !== 'fragment'))

describe('each example of the documentation', () => {
  let workshop: Workshop
  let typeErrors: ReadonlyMap<string, string>

  beforeAll(async () => {
    workshop = new Workshop(whole)
    typeErrors = await workshop.typeErrors(whole)
  }, 120_000)

  afterAll(() => workshop?.remove())

  for (const example of all) {
    const fragment = example.steps.find((step) => step.kind === 'fragment')
    const reason = fragment === undefined ? '' : ` (not run: ${fragment.reason})`
    test.skipIf(fragment !== undefined).concurrent(
      `${example.name}${reason}`,
      async () => {
        expect(typeErrors.get(example.name) ?? 'no mistake').toBe('no mistake')
        await runExample(workshop.programOf(example), example.steps)
      },
      90_000,
    )
  }
})
