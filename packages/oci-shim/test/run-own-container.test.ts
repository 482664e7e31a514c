import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { makeBundle } from './run/bundle.js'
import { type ScriptedEngine, scriptedEngine } from './run/scripted-engine.js'
import { BridgedUnit } from './run/unit.js'

const canRun = isRoot() && works('runc', '--version') && works(PYTHON, '--version')
const FOREIGN = 'f'.repeat(64)
const OWN = '0'.repeat(64)

describe.skipIf(!canRun)('a bundle whose id is taken while the runtime is being started', () => {
  test('the container that has it stays, and goes on', async () => {
    const id = `late-${process.pid}`
    onTestFinished(() => void spawnSync('runc', ['delete', '--force', id]))
    const foreign = makeBundle(['forever'])
    const { file } = scriptedEngine(
      'runc',
      `[ "$1" != run ] || runc run --detach --bundle '${foreign}' '${id}' </dev/null >/dev/null 2>&1
exec runc "$@"`,
    )
    const unit = new BridgedUnit([file, 'run', '--bundle', makeBundle(['send:READY=1']), id])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([1, null])
    expect(unit.output).toContain('already exists')
    const { stdout } = spawnSync('runc', ['state', id], { encoding: 'utf8' })
    expect(JSON.parse(stdout)).toMatchObject({ status: 'running', bundle: foreign })
    expect(existsSync(`/run/sdbridge/${unit.name}`)).toBe(false)
  })

  test('a stop of the unit is not for it', async () => {
    const id = `late-stopped-${process.pid}`
    onTestFinished(() => void spawnSync('runc', ['delete', '--force', id]))
    const foreign = makeBundle(['on:TERM exit:0', 'forever'])
    const { file, said } = scriptedEngine(
      'runc',
      `if [ "$1" = run ]; then
  runc run --detach --bundle '${foreign}' '${id}' </dev/null >/dev/null 2>&1
  echo taken
  sleep 3
fi
exec runc "$@"`,
    )
    const unit = new BridgedUnit([file, 'run', '--bundle', makeBundle(['send:READY=1']), id])
    const failed = unit.failsToStart()
    await expect.poll(() => unit.output, { timeout: 20_000 }).toContain('taken')
    process.kill(unit.pid, 'SIGTERM')
    process.kill(unit.pid, 'SIGHUP')
    await failed
    expect(said().join('\n')).not.toMatch(/^(?:kill|delete) /m)
    const { stdout } = spawnSync('runc', ['state', id], { encoding: 'utf8' })
    expect(JSON.parse(stdout)).toMatchObject({ status: 'running', bundle: foreign })
  })

  test('what a runtime leaves that is killed before it has a container does not keep the id', async () => {
    const id = `half-${process.pid}`
    onTestFinished(() => void spawnSync('runc', ['delete', '--force', id]))
    const { file } = scriptedEngine(
      'runc',
      `[ "$1" != run ] || { mkdir '/run/runc/${id}'; kill -9 $$; }\nexec runc "$@"`,
    )
    const unit = new BridgedUnit([file, 'run', '--bundle', makeBundle(['send:READY=1']), id])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([null, 'SIGKILL'])
    expect(existsSync(`/run/runc/${id}`)).toBe(false)
  })
})

// Podman's part is played: the real one is in test/system, where its name is taken in the same way.
describe('an image whose container’s name is taken while it is being pulled', () => {
  test('nothing is done to the container that has it', async () => {
    const engine = podman('touch "$directory/taken"; echo "the name is in use" >&2; exit 125')
    const unit = new BridgedUnit([engine.file, 'run', '--name', 'web', 'image'])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([125, null])
    // It is looked at, once before and once behind.
    expect(afterRun(engine)).toEqual(['container inspect web'])
  })

  test('nor at a stop', async () => {
    const engine = podman(
      'touch "$directory/taken"; trap "exit 125" TERM; echo pulling; for i in $(seq 600); do sleep 0.1; done',
    )
    const unit = new BridgedUnit([engine.file, 'run', '--name', 'web', 'image'])
    const failed = unit.failsToStart()
    await expect.poll(() => unit.output, { timeout: 20_000 }).toContain('pulling')
    process.kill(unit.pid, 'SIGHUP')
    process.kill(unit.pid, 'SIGTERM')
    await failed
    expect(afterRun(engine)).toEqual(['container inspect web'])
  })

  test('what a client that was killed has made, and could not tell of, is removed by its id', async () => {
    const engine = podman('touch "$directory/made"; kill -9 $$')
    const unit = new BridgedUnit([engine.file, 'run', '--name', 'web', 'image'])
    await unit.failsToStart()
    expect(afterRun(engine)).toEqual(['container inspect web', `rm --force --ignore ${OWN}`])
  })

  test('the container of the unit itself is meant by its id from then on', async () => {
    const engine = podman(`
while [ "$1" != --cidfile ]; do shift; done
printf ${OWN} >"$2"
touch "$directory/taken"; trap 'exit 3' USR1; echo here; for i in $(seq 600); do sleep 0.1; done`)
    const unit = new BridgedUnit([engine.file, 'run', '--name', 'web', 'image'])
    const failed = unit.failsToStart()
    await expect.poll(() => unit.output, { timeout: 20_000 }).toContain('here')
    process.kill(unit.pid, 'SIGHUP')
    await expect.poll(() => afterRun(engine)).toContain(`kill --signal 1 ${OWN}`)
    process.kill(unit.pid, 'SIGTERM')
    await failed
    expect(await unit.ended).toEqual([3, null])
    const calls = afterRun(engine)
    expect(calls.filter((call) => !call.endsWith(` ${OWN}`))).toEqual([])
    for (const verb of ['stop', 'wait', 'rm'])
      expect(calls).toContainEqual(expect.stringMatching(`^${verb} `))
  })
})

/** @param run What it does when it is to run a container. */
function podman(run: string): ScriptedEngine {
  return scriptedEngine(
    'podman',
    `case "$1" in
  run)
    for word; do case "$word" in io.sdbridge.unit=*) echo "\${word#*=}" >"$directory/unit" ;; esac; done
    echo $$ >"$directory/pid"
    ${run}
    ;;
  info) echo '{"host":{}}' ;;
  wait) echo 3 ;;
  stop) kill -USR1 "$(cat "$directory/pid")" ;;
  container)
    if [ -e "$directory/taken" ]; then echo '[{"Id":"${FOREIGN}","Config":{"Labels":{}}}]'
    elif [ -e "$directory/made" ]; then
      echo '[{"Id":"${OWN}","Config":{"Labels":{"io.sdbridge.unit":"'"$(cat "$directory/unit")"'"}}}]'
    else echo 'Error: no such container "web"' >&2; exit 125; fi ;;
esac`,
  )
}

function afterRun({ said }: ScriptedEngine): string[] {
  const calls = said()
  return calls.slice(calls.findIndex((call) => call.startsWith('run ')) + 1)
}
