import { checkedUnit } from './checked-unit.js'
import { parseWords } from './parse-words.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge doctor [options]

Examines this host, and the units whose main process is sdbridge run, with their engines and images;
says in a line each what is wrong, and what to do. It changes nothing.

  sdbridge doctor --unit web.service

  fault  it does not work
  risk   it works until something else happens: a crash, a slow network, a stop
  hint   it may be meant

Options:
  --unit NAME  this unit only; default: all that are loaded
  --user       units of the service manager of this user
  --json       print one JSON object for each subject: { subject, diagnoses: [{ code, severity,
               found, remedy }] }
  --help       show this text

Exit status: 0 if there is no fault and no risk, 1 if there is one, 2 for a mistake on the command
line, 125 if the service manager does not answer.
`

/** `sdbridge doctor`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  const { parseRun } = await import('./run-command.js')
  const { printExaminations } = await import('../doctor/print-examinations.js')
  return await printExaminations({
    unit: checkedUnit(values.unit),
    user: values.user === true,
    json: values.json === true,
    parseRun,
  })
}

const OPTIONS = {
  unit: { type: 'string' },
  user: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
