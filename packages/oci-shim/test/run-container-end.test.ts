import { expect, test } from 'vitest'
import { scriptedEngine } from './run/scripted-engine.js'
import { BridgedUnit } from './run/unit.js'

// Podman's part is played: the real one fails a start in this way for want of what a test has no business to take from it.
test('a container that was created and could not be started is a failure, also where its engine has an exit code', async () => {
  const { file } = scriptedEngine(
    'podman',
    `case "$1" in
  info) echo '{"host":{}}' ;;
  run)
    while [ "$1" != --cidfile ]; do shift; done
    printf ${'0'.repeat(64)} >"$2"
    echo 'the start has failed' >&2
    exit 125
    ;;
  container)
    if [ "$3" = web ]; then echo 'Error: no such container "web"' >&2; exit 125; fi
    case "$*" in
      *Pid*) echo 0 ;;
      *) echo '[{"State":{"Status":"created","ExitCode":0}}]' ;;
    esac
    ;;
  wait) echo 0 ;;
esac`,
  )
  const unit = new BridgedUnit([file, 'run', '--name', 'web', 'image'])
  await unit.failsToStart()
  expect(await unit.ended).toEqual([125, null])
})
