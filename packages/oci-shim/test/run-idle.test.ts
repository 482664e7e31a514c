import { expect, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { expectQuiet } from '../../../test/support/quiet-process.js'
import { makeBundle, payload } from './run/bundle.js'
import { BridgedUnit } from './run/unit.js'

const hasPython = works(PYTHON, '--version')
const hasRunc = isRoot() && works('runc', '--version') && hasPython
const STEPS = ['on:TERM exit:0', 'send:READY=1\nSTATUS=idle', 'forever']

test.skipIf(!hasPython)(
  'an idle container costs the bridge nothing',
  async () => {
    const units = [new BridgedUnit(['--', ...payload(...STEPS)])]
    if (hasRunc) {
      const command = ['runc', 'run', '--bundle', makeBundle(STEPS), `idle-${process.pid}`]
      units.push(new BridgedUnit(['--', ...command]))
    }
    await Promise.all(units.map(expectQuietUnit))
  },
  60_000,
)

async function expectQuietUnit(unit: BridgedUnit): Promise<void> {
  await unit.service.start()
  await expectQuiet(`/proc/${unit.pid}`)
  // It is there all the same.
  await unit.service.stop()
  expect(unit.notifications).toContainEqual({ ready: true, status: 'idle' })
}
