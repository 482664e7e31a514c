import { run } from '../../dist/run/run.js'
process.exitCode = await run({
  command: process.argv.slice(2),
  senders: 'all',
  mainPid: false,
  notifyAccess: false,
  storeLimit: undefined,
  pullLimitSec: 300,
  containerDirectory: '/run/notify',
  print: process.env.PRINT === '1',
  unit: process.env.TEST_UNIT,
  timeoutStopSec: process.env.TEST_STOP_SEC && Number(process.env.TEST_STOP_SEC),
})
