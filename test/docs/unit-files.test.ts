import { describe, expect, test } from 'vitest'
import { examples } from './examples.js'
import { CAN_VERIFY, complaintsAbout, isUnitFile } from './unit-files.js'

const units = examples('ini').filter(isUnitFile)

describe.skipIf(!CAN_VERIFY)('systemd-analyze verify finds nothing wrong with', () => {
  for (const unit of units) {
    const page = units.filter(({ file }) => file === unit.file)
    test.concurrent(`the unit file in ${unit.name}`, async () => {
      expect(await complaintsAbout(unit, page)).toBe('')
    })
  }
})
