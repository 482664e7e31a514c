#!/usr/bin/env node
// @ts-check
import { readOptions } from '../support/options.js'
import { Outcomes } from '../support/outcomes.js'
import { checks } from './checks.js'

const HELP = `Checks where everything comes from that is built, tested with and shipped.

Usage: node test/supply-chain/run.js [--json FILE]

  --json FILE  writes { passed, failed, skipped } to FILE
  --help

Needs an installed checkout. Where the registry serves no advisories it says so; SDBRIDGE_REQUIRE_AUDIT=1 makes that
a failure. Signatures of the registry are not checked: pnpm compares hashes with the lockfile instead.
`

const values = readOptions(HELP, { json: { type: 'string' } })
const outcomes = new Outcomes()
for (const [name, check] of Object.entries(checks)) await outcomes.run(name, async () => check())
process.exitCode = outcomes.conclude(values.json)
