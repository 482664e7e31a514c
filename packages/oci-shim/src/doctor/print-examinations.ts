import { writeSync } from 'node:fs'
import { tell } from '../run/operator-log.js'
import { type DoctorOptions, examine, type Examination } from './doctor.js'

/** Examines, and prints each subject as soon as it is known. @returns The exit code. */
export async function printExaminations(
  options: DoctorOptions & { readonly json: boolean },
): Promise<number> {
  let isWrong = false
  let units = 0
  try {
    for await (const examination of examine(options)) {
      writeSync(1, options.json ? `${JSON.stringify(examination)}\n` : linesOf(examination))
      isWrong ||= examination.diagnoses.some(({ severity }) => severity !== 'hint')
      if (examination.subject !== 'host') units++
    }
  } catch (error) {
    tell((error as Error).message)
    return 125
  }
  if (units === 0 && !options.json && !isWrong)
    writeSync(1, 'No loaded unit starts sdbridge run; name one that is not loaded by --unit.\n')
  return isWrong ? 1 : 0
}

function linesOf({ subject, diagnoses }: Examination): string {
  if (diagnoses.length === 0) return `${subject}: nothing is wrong\n`
  return diagnoses
    .map(
      ({ code, severity, found, remedy }) =>
        `${subject}: ${severity}: ${found}: ${remedy} [${code}]\n`,
    )
    .join('')
}
