import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cleanup } from './run/cleanup.js'
import { type ScriptedEngine, scriptedEngine } from './run/scripted-engine.js'
import { BASE, BridgedUnit } from './run/unit.js'

// Podman's part is played: a real engine that is away for just as long as that would be a matter of luck.
test('what cannot be removed stays noted, until sdbridge cleanup can', async () => {
  const { engine, unit } = await leftBehind()
  expect(existsSync(join(BASE, unit.name, 'state.json'))).toBe(true)
  expect(cleanup(unit.name)).toMatchObject({ status: 125 })
  expect(existsSync(join(BASE, unit.name, 'state.json'))).toBe(true)
  rmSync(join(engine.directory, 'away'))
  expect(cleanup(unit.name)).toMatchObject({ status: 0 })
  expect(engine.said().at(-1)).toBe('rm --force --ignore web')
  expect(existsSync(join(BASE, unit.name))).toBe(false)
})

test('or until the next start can', async () => {
  const { engine, unit } = await leftBehind()
  rmSync(join(engine.directory, 'away'))
  await unit.failsToStart()
  expect(unit.output).toContain('removing the container web, which this unit has left behind')
  expect(existsSync(join(BASE, unit.name))).toBe(false)
})

test('which waits while the engine is at it', async () => {
  const { engine, unit } = await leftBehind()
  rmSync(join(engine.directory, 'away'))
  writeFileSync(join(engine.directory, 'removing'), '')
  await unit.failsToStart()
  expect(unit.output).not.toContain('cannot remove')
  expect(existsSync(join(BASE, unit.name))).toBe(false)
  expect(existsSync(join(engine.directory, 'removing'))).toBe(false)
})

/** The unit has ended while its engine was away. */
async function leftBehind(): Promise<{ engine: ScriptedEngine; unit: BridgedUnit }> {
  const engine = scriptedEngine(
    'podman',
    `case "$1" in
  info) echo '{"host":{}}' ;;
  run)
    for word; do case "$word" in io.sdbridge.unit=*) unit=\${word#*=} ;; esac; done
    while [ "$1" != --cidfile ]; do shift; done
    printf ${'0'.repeat(64)} >"$2"
    echo '[{"Config":{"Labels":{"io.sdbridge.unit":"'"$unit"'"}}}]' >"$directory/container"
    exit 3
    ;;
  container)
    cat "$directory/container" || { echo 'Error: no such container "web"' >&2; exit 125; } ;;
  rm)
    [ ! -e "$directory/away" ] || { echo 'the engine is away' >&2; exit 125; }
    if [ -e "$directory/removing" ]; then
      rm "$directory/removing"
      echo 'Error: removal of container web is already in progress' >&2
      exit 1
    fi
    rm -f "$directory/container" ;;
esac`,
  )
  writeFileSync(join(engine.directory, 'away'), '')
  const unit = new BridgedUnit([engine.file, 'run', '--name', 'web', 'image'])
  await unit.failsToStart()
  expect(await unit.ended).toEqual([3, null])
  expect(unit.output).toContain(
    'the container web is left behind: the engine is away; sdbridge cleanup, or the next start of the unit, removes it',
  )
  return { engine, unit }
}
