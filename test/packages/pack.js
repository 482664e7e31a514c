#!/usr/bin/env node
// @ts-check
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { readOptions } from '../support/options.js'
import { runQuietly } from '../support/run-quietly.js'
import { endOnSignals } from '../support/scratch.js'
import { packPackages } from './pack-packages.js'

const HELP = `Makes the tarballs that a release publishes, from a clean copy of this checkout.

Usage: node test/packages/pack.js [--out FOLDER]

  --out FOLDER  new or empty; default: tarballs
  --help

Beside the tarballs it writes SHA512SUMS, for \`sha512sum -c\`. Each binary is built twice and compared. To test exactly
these tarballs: node test/packages/run.js --tarballs FOLDER
`

const values = readOptions(HELP, { out: { type: 'string', default: 'tarballs' } })
endOnSignals()
process.exitCode = await main(resolve(values.out))

/** @param {string} out */
async function main(out) {
  if (statSync(out, { throwIfNoEntry: false }) !== undefined && readdirSync(out).length > 0) {
    process.stderr.write(`${out} is not empty\n`)
    return 2
  }
  const changes = await runQuietly('git', ['status', '--porcelain'])
  if (changes !== '') process.stdout.write(`NOT AS COMMITTED:\n${changes}\n`)
  const packed = await packPackages(out, (line) => process.stdout.write(`${line}\n`))
  const sums = packed.map(({ file, integrity }) => {
    const hex = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')
    return `${hex}  ${basename(file)}\n`
  })
  writeFileSync(join(out, 'SHA512SUMS'), sums.join(''))
  process.stdout.write(`\n${out}:\n`)
  for (const { file, integrity } of packed) {
    process.stdout.write(
      `${basename(file).padEnd(34)} ${statSync(file).size} bytes, ${integrity}\n`,
    )
  }
  return 0
}
