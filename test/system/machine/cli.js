#!/usr/bin/env node
// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { environment } from './enter.js'
import { readOptions } from '../../support/options.js'
import { repositoryBind } from '../repository.js'
import { Machine } from './machine.js'
import { missingRequirements } from './requirements.js'
import { ensureRootfs } from './rootfs.js'

/** @typedef {NonNullable<import('node:util').ParseArgsConfig['options']>} Options */

const HELP = `Boots a throwaway machine with a real systemd, and removes it afterwards.

Usage: node test/system/machine/cli.js [options] shell
       node test/system/machine/cli.js [options] run COMMAND [ARGUMENT...]
       node test/system/machine/cli.js [options] log [COMMAND [ARGUMENT...]]

  shell   a shell inside; the machine ends with it
  run     one command; its exit code is that of this tool
  log     like run, and then prints what the service manager logged about it

  --suite SUITE      of Debian (forky, trixie), made when needed; without it: this machine's files
  --bind FOLDER      visible inside, read-only, as this repository always is at /srv/sdbridge; can be repeated
  --log-level LEVEL  of the service manager: info, or debug for "log"
  --help

Needs root. Unit files go to /run/systemd/system. What services write appears on standard error.
`

process.exitCode = await main()

async function main() {
  /** @satisfies {Options} */
  const options = {
    suite: { type: 'string' },
    bind: { type: 'string', multiple: true, default: [] },
    'log-level': { type: 'string' },
  }
  const { own, verb, command } = splitArguments(process.argv.slice(2), options)
  const values = readOptions(HELP, options, own)
  if (!isComplete(verb, command)) {
    process.stderr.write(HELP)
    return 2
  }
  const reasons = await missingRequirements()
  if (reasons.length > 0) {
    process.stderr.write(`${reasons.join('\n')}\n`)
    return 1
  }

  const { path: root } = values.suite ? await ensureRootfs([values.suite]) : { path: '/' }
  const machine = await Machine.boot({
    root,
    binds: [repositoryBind, ...values.bind.map((path) => resolve(path))],
    logLevel: values['log-level'] ?? (verb === 'log' ? 'debug' : 'info'),
    onOutput: (unit, text) => process.stderr.write(text.replaceAll(/^(?=.)/gm, `${unit}: `)),
  })
  try {
    const exitCode = command.length > 0 || verb === 'shell' ? await runInside(machine, command) : 0
    if (verb === 'log') process.stdout.write(await machine.log())
    return exitCode
  } finally {
    await machine.halt()
  }
}

/**
 * Options after the verb belong to the command.
 *
 * @param {string[]} args
 * @param {Options} options
 */
function splitArguments(args, options) {
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true })
  const verb = tokens.find(({ kind }) => kind === 'positional')
  const index = verb?.index ?? args.length
  return { own: args.slice(0, index), verb: args[index], command: args.slice(index + 1) }
}

/**
 * @param {string | undefined} verb
 * @param {string[]} command
 */
function isComplete(verb, command) {
  if (verb === 'run') return command.length > 0
  return verb === 'log' || (verb === 'shell' && command.length === 0)
}

/**
 * @param {Machine} machine
 * @param {string[]} command a shell when it is empty
 * @returns {Promise<number>}
 */
async function runInside(machine, command) {
  // `script` gives the shell a terminal of the machine's own: ours means nothing to job control
  // inside.
  const shell = process.stdin.isTTY ? ['script', '-qec', 'bash', '/dev/null'] : ['bash']
  const [name = '', ...args] = command.length > 0 ? command : shell
  const { file, fileArgs } = machine.enter(name, args)
  const child = spawn(file, fileArgs, {
    stdio: 'inherit',
    env: environment({ TERM: process.env['TERM'] ?? 'dumb' }),
  })
  // Ctrl-C is for the command.
  process.on('SIGINT', () => {})
  const [exitCode] = await once(child, 'close')
  return exitCode ?? 1
}
