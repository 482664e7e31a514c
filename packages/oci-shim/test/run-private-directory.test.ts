import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { PrivateDirectory } from '../dist/run/private-directory.js'
import { isByHand } from '../dist/run/unit-identity.js'

const MODULE = new URL('../dist/run/private-directory.js', import.meta.url).href

test('it is for this user alone, but for the container socket’s own directory', () => {
  const base = temporaryDirectory()
  const directory = made(join(base, 'web.service'))
  expect(statSync(directory.path).mode & 0o777).toBe(0o700)
  expect(statSync(directory.notifyDirectory).mode & 0o777).toBe(0o755)
  expect(readdirSync(base)).toEqual(['web.service'])
  directory.remove()
  expect(readdirSync(base)).toEqual([])
})

test('a bridge that has not opened its socket yet is at work all the same', () => {
  const { path } = made(join(temporaryDirectory(), 'web.service'))
  writeFileSync(join(path, 'state.json'), '')
  const second = new PrivateDirectory(path)
  expect(second.isServed).toBe(true)
  expect(() => second.make()).toThrow('another sdbridge serves')
  expect(readdirSync(path)).toContain('state.json')
})

test('what cannot be made leaves nothing', () => {
  const base = temporaryDirectory()
  // Anybody may write to it.
  mkdirSync(join(base, 'open'))
  chmodSync(join(base, 'open'), 0o777)
  const lasting = join(base, 'open', 'notify')
  const directory = new PrivateDirectory(join(base, 'web.service'), lasting)
  expect(() => directory.make()).toThrow('must be a directory of this user')
  expect(readdirSync(base)).toEqual(['open'])
})

test('of many bridges that find what a crash has left, one has it', async () => {
  const base = temporaryDirectory()
  const path = join(base, 'web.service')
  mkdirSync(join(path, 'notify'), { recursive: true, mode: 0o700 })
  writeFileSync(join(path, 'left'), '')
  const script = `
import { PrivateDirectory } from '${MODULE}'
const directory = new PrivateDirectory(process.argv[1])
console.log('ready')
process.stdin.once('data', () => {
  try {
    directory.make()
    console.log('made')
  } catch (error) {
    console.log(error.message)
  }
})
`
  const args = ['--input-type=module', '--eval', script, path]
  const bridges = Array.from({ length: 5 }, () =>
    spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  onTestFinished(() => bridges.forEach((each) => each.kill('SIGKILL')))
  expect(await Promise.all(bridges.map((each) => line(each)))).toEqual(bridges.map(() => 'ready'))
  const told = bridges.map((each) => line(each))
  for (const each of bridges) each.stdin.write('go\n')
  const answers = await Promise.all(told)
  expect(answers.filter((each) => each === 'made')).toHaveLength(1)
  for (const each of answers.filter((text) => text !== 'made'))
    expect(each).toContain('another sdbridge serves')
  expect(readdirSync(base)).toEqual(['web.service'])
  expect(existsSync(join(path, 'left'))).toBe(false)
  expect(new PrivateDirectory(path).isServed).toBe(true)
})

test('a unit that is named as if it were a run by hand is none', () => {
  expect(isByHand('pid-123-0123abcd')).toBe(true)
  expect(isByHand('pid-123.service')).toBe(false)
  expect(isByHand('pid-123-0123abcd.service')).toBe(false)
})

function made(path: string): PrivateDirectory {
  const directory = new PrivateDirectory(path)
  directory.make()
  onTestFinished(() => directory.remove())
  return directory
}

async function line({ stdout }: ChildProcess): Promise<string> {
  const [text] = (await once(stdout!, 'data')) as [Buffer]
  return text.toString().trim()
}
