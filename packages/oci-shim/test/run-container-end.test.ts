import { expect, test } from 'vitest'
import { scriptedEngine } from './run/scripted-engine.js'
import { BridgedUnit } from './run/unit.js'

// Podman's part is played: the real one does such things for want of what a test has no business to take from it.
const ID = '0'.repeat(64)
const TELL_ID = `while [ "$1" != --cidfile ]; do shift; done
    printf ${ID} >"$2"`

test('a container that was created and could not be started is a failure, also where its engine has an exit code', async () => {
  const { file } = scriptedEngine(
    'podman',
    `case "$1" in
  info) echo '{"host":{}}' ;;
  run)
    ${TELL_ID}
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

test('a container of which podman does not know that it has ended, nor how: its client and conmon were killed', async () => {
  const { file } = scriptedEngine(
    'podman',
    `case "$1" in
  info) echo '{"host":{}}' ;;
  run)
    ${TELL_ID}
    sleep 2 >/dev/null 2>&1 &
    echo $! >"$directory/pid"
    kill -KILL $$
    ;;
  container)
    if [ "$3" != ${ID} ]; then echo 'Error: no such container "web"' >&2; exit 125; fi
    echo "[{\\"State\\":{\\"Status\\":\\"running\\",\\"Pid\\":$(cat "$directory/pid")}}]"
    ;;
  wait)
    echo 'Error: no such exit code' >&2
    exit 125
    ;;
esac`,
  )
  const unit = new BridgedUnit([file, 'run', '--name', 'web', 'image'])
  await unit.failsToStart()
  expect(await unit.ended).toEqual([null, 'SIGKILL'])
}, 30_000)
