import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseEngineCommand } from '../dist/engines/engine-command.js'
import { planLaunch } from '../dist/engines/plan-launch.js'
import { InitPid } from '../dist/run/init-pid.js'
import { OwnContainer } from '../dist/run/own-container.js'
import { bridgeFacts } from './engines-facts.js'

test('a pid file of an earlier run says nothing of this one', async () => {
  const directory = temporaryDirectory()
  const pidFile = join(directory, 'pid')
  writeFileSync(join(directory, 'config.json'), '{}')
  writeFileSync(pidFile, '1')
  const words = ['runc', 'run', '--bundle', directory, '--pid-file', pidFile, 'web']
  const launch = await planLaunch(parseEngineCommand(words)!, bridgeFacts())
  const init = new InitPid(new OwnContainer({ launch, env: {}, unit: 'web.service' }), {}, false)
  expect(init.get()).toBeUndefined()
  // As runc writes it.
  writeFileSync(`${pidFile}.new`, '7')
  renameSync(`${pidFile}.new`, pidFile)
  expect(init.get()).toBe(7)
})
