import { isSubcommand, loadSubcommand, type Subcommand } from './subcommands.js'
import { UsageError } from './usage-error.js'

const [first, ...rest] = process.argv.slice(2)
const name = subcommandOf(first)
try {
  if (name === undefined) throw new UsageError(complaintAbout(first))
  process.exitCode = await (await loadSubcommand(name)).main(rest)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  const help = name === undefined || name === 'help' ? 'sdbridge --help' : `sdbridge ${name} --help`
  process.stderr.write(`sdbridge: ${error.message}\nTry '${help}'.\n`)
  process.exitCode = 2
}

function subcommandOf(word: string | undefined): Subcommand | undefined {
  if (word === '--help' || word === '-h') return 'help'
  if (word === '--version') return 'version'
  return word !== undefined && isSubcommand(word) ? word : undefined
}

function complaintAbout(word: string | undefined): string {
  if (word === undefined)
    return 'a subcommand is missing: run, cleanup, unit, doctor, runtime, cdi, hook, prepare, daemon, ps, events, version or help'
  const kind = word.startsWith('-') ? 'option' : 'subcommand'
  return `there is no ${kind} '${word}'`
}
