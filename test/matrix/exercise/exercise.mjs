#!/usr/bin/env node
// Does with the published packages what their users do, on real sockets, and needs nothing but them: so it runs
// wherever they can be installed, on any runtime. `--help` tells how; checks/index.mjs where a new one goes.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { allChecks } from './checks/index.mjs'
import { currentEnvironments, notHere } from './not-here.mjs'
import { Scope } from './scope.mjs'

const HELP = `Checks the public functions of @sdbridge/* on the runtime that runs this file.

Usage: node exercise.mjs [options]

  --environment NAME  beside what is found by itself: qemu-user, musl, valgrind, bun (can be repeated)
  --only TEXT         only checks with TEXT in their name
  --timeout SECONDS   for each check (20)
  --json FILE         writes { passed, failed, notHere } to FILE
  --list              prints the names
  --help

$SDBRIDGE_EXERCISE_NODE is what starts a child with the same runtime, if that is not process.execPath.
`

const say = (text) => process.stdout.write(`${text}\n`)
const values = readOptions()
const selected = Object.entries(allChecks).filter(([name]) => name.includes(values.only))
if (selected.length === 0) {
  refuse(
    `--only ${values.only}: none of these has it in its name: ${Object.keys(allChecks).join(', ')}.`,
  )
}

if (values.help) process.stdout.write(HELP)
else if (values.list) for (const [name] of selected) say(name)
else await runAll()

function readOptions() {
  const options = {
    environment: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', default: '' },
    timeout: { type: 'string', default: '20' },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  }
  try {
    const { values: given } = parseArgs({ options })
    if (/^[1-9]\d*$/.test(given.timeout)) return given
    return refuse(`--timeout ${given.timeout}: it must be a positive integer.`)
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(message) {
  process.stderr.write(`${message}\nTry --help\n`)
  process.exit(2)
}

async function runAll() {
  const environments = currentEnvironments(values.environment)
  const counts = { passed: 0, failed: 0, notHere: 0 }
  say(`${runtimeName()}, ${process.arch}, ${environments.join(', ') || 'nothing special'}`)
  for (const [name, check] of selected) {
    counts[await runOne(name, check, notHere(name, environments))]++
  }
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.notHere} not here`)
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(counts))
  // What a failed check left open must not keep this process, and a passed one leaves nothing.
  process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0)
}

/** A check that is on the list is tried all the same: the list must not outlive its reasons. */
async function runOne(name, check, absence) {
  if (absence?.untried) {
    say(`not here  ${name}: ${absence.reason}`)
    return 'notHere'
  }
  const start = performance.now()
  const error = await outcomeOf(check)
  const time = `(${Math.round(performance.now() - start)} ms)`
  if (absence === undefined) {
    say(
      error === undefined
        ? `ok        ${name} ${time}`
        : `FAILED    ${name} ${time}\n${textOf(error)}`,
    )
    return error === undefined ? 'passed' : 'failed'
  }
  if (error !== undefined && absence.error.test(textOf(error))) {
    say(`not here  ${name}: ${absence.reason} ${time}`)
    return 'notHere'
  }
  const what =
    error === undefined ? 'it works: take it off the list' : `other error: ${textOf(error)}`
  say(`FAILED    ${name} is listed in not-here.mjs (${absence.reason}), but ${what}`)
  return 'failed'
}

async function outcomeOf(check) {
  const timeoutMs = Number(values.timeout) * 1000
  const scope = new Scope(timeoutMs)
  let timer
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${values.timeout} s`)), timeoutMs)
    })
    await Promise.race([check(scope), late])
    return undefined
  } catch (error) {
    return error
  } finally {
    clearTimeout(timer)
    await scope.end()
  }
}

function textOf(error) {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function runtimeName() {
  const { bun, deno } = process.versions
  if (bun !== undefined) return `Bun ${bun}`
  return deno === undefined ? `Node ${process.versions.node}` : `Deno ${deno}`
}
