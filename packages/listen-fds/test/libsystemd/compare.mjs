// Asks libsystemd and this package the same questions in the same place, and prints where their answers differ. It runs where the
// descriptors are, from 3 on, and hands them to the program that asks libsystemd.
//
//     compare.mjs environments ANSWERS KINDS SEED
//     compare.mjs descriptors ANSWERS KINDS
//
// ANSWERS is answers.c, compiled; KINDS is what ../fixtures/pass.py passed, as it takes it.
import { spawnSync } from 'node:child_process'
import { descriptorQuestions } from './descriptor-questions.mjs'
import { environmentQuestion, environmentQuestions } from './environment-questions.mjs'

// For relative paths: in a machine it is not where pass.py was.
process.chdir(process.env.PASS_DIRECTORY)

const [, , table, program, kindsText, seed] = process.argv
const kinds = JSON.parse(kindsText)
const passed = kinds.length
const knowsPidfdId = asksForPidfdId()
const questions =
  table === 'environments'
    ? environmentQuestions({ passed, seed: Number(seed), knowsPidfdId })
    : descriptorQuestions(kinds)
const theirs = ask(questions)
const ours = questions.map(({ answer }) => answer())

const disagreements = questions
  .map(({ name, text }, at) => ({ name, text, libsystemd: theirs[at], ours: ours[at] }))
  .filter((_, at) => theirs[at] !== ours[at])
/** How often there was each answer, by what was asked. */
const outcomes = {}
for (const [at, { name }] of questions.entries()) {
  const counts = (outcomes[name] ??= {})
  const [outcome] = ours[at].split(' ')
  counts[outcome] = (counts[outcome] ?? 0) + 1
}
const result = { knowsPidfdId, outcomes, disagreements: disagreements.slice(0, 20) }
process.stdout.write(JSON.stringify(result))

// Before 259 libsystemd does not know LISTEN_PIDFDID, and does not remove it either.
function asksForPidfdId() {
  const environment = ['\x01', 'wrong', '1', undefined]
  const [answer] = ask([environmentQuestion(environment, passed)])
  return answer.startsWith('invalid')
}

function ask(list) {
  const { status, stdout, error } = spawnSync(program, [], {
    input: list.map(({ line }) => `${line}\n`).join(''),
    stdio: ['pipe', 'pipe', 'inherit', ...kinds.map((_, at) => 3 + at)],
    maxBuffer: 2 ** 30,
    encoding: 'latin1',
  })
  if (status !== 0) throw error ?? new Error(`${program} ended with ${status}`)
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line, at) => list[at].read?.(line) ?? line)
}
