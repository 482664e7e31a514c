import { cleanup } from '../../dist/run/cleanup.js'
process.exitCode = await cleanup({ unit: process.env.TEST_UNIT })
