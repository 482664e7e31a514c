import { expect } from 'vitest'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { engineCommand } from './containers/engine-command.js'
import {
  CRUN_LAUNCHER,
  KNOWS_LAUNCHER,
  LAUNCHER,
  writeLauncher,
} from './containers/runtime-launcher.js'
import { inside } from './repository.js'

const LIFE = inside('test/system/containers/life-of-containers.sh')
const PARTS: [part: string, situation: string, proof: RegExp][] = [
  ['life', 'a life from run to rm', /== exited\nexited 3\n-> 0[\s\S]*== rm\nlived\n-> 0/],
  [
    'kinds',
    'containers of many kinds, and what is inside',
    /== an exit code\n-> 9[\s\S]*Max open files[\s\S]*SigIgn/,
  ],
  ['images', 'images that are made by running containers', /== run of what was built\nbuilt\n-> 0/],
]

const NO_NETWORK = '--network=none'

describeContainers(
  'sdbridge runtime, for all containers of an engine',
  (scenario) => {
    for (const [part, situation, proof] of PARTS) {
      scenario(
        'runtime',
        `docker’s default: ${situation}`,
        async (host) => {
          const launched = await lifeBy(host, part, ['docker'], NO_NETWORK)
          expect(launched).toMatch(proof)
          expect(launched).toBe(
            await lifeBy(host, part, ['docker'], `${NO_NETWORK} --runtime=runc`),
          )
        },
        ['docker'],
      )

      for (const launcher of [CRUN_LAUNCHER, LAUNCHER]) {
        const name = launcher === LAUNCHER ? 'runc' : 'crun'
        scenario(
          'runtime',
          `podman’s, in front of ${name}: ${situation}`,
          async (host) => {
            const launched = await lifeBy(host, part, ['podman', '--runtime', launcher])
            expect(launched).toMatch(proof)
            expect(launched).toBe(await lifeBy(host, part, ['podman', '--runtime', name]))
          },
          ['podman'],
        )
      }
    }

    scenario(
      'runtime',
      'ctr’s, with the containerd of docker',
      async (host) => {
        const launched = await lifeByCtr(host, LAUNCHER)
        expect(launched).toMatch(/== run\nhello\n[\s\S]*== run\n-> 7[\s\S]*== exec\ninside\n-> 0/)
        expect(launched).toBe(await lifeByCtr(host, '/usr/sbin/runc'))
      },
      ['docker'],
    )

    scenario(
      'runtime',
      'called as a low-level runtime is',
      async (host, engine) => {
        const launched = await lifeOfBundle(host, engine, `/usr/local/lib/sdbridge/${engine}`)
        expect(launched).toMatch(/== state\nrunning[\s\S]*== exec\ninside[\s\S]*== run: 5/)
        const plain = engine === 'crun' ? '/usr/bin/crun' : '/usr/sbin/runc'
        expect(launched).toBe(await lifeOfBundle(host, engine, plain))
      },
      ['runc', 'crun', 'runc on host'],
    )
  },
  {
    dockerd: [KNOWS_LAUNCHER, '--default-runtime=sdbridge'],
    prepare: (host) => writeLauncher(host),
  },
)

async function lifeBy(
  { machine }: ContainerHost,
  part: string,
  engine: string[],
  options = '',
): Promise<string> {
  const { stdout } = await machine.run('bash', [LIFE, part, ...engine], {
    env: { RUN_OPTIONS: options },
    timeoutMs: 100_000,
  })
  return stdout
}

async function lifeByCtr({ machine }: ContainerHost, runtime: string): Promise<string> {
  const { stdout } = await machine.run('bash', ['-c', CTR, 'bash', runtime], { timeoutMs: 100_000 })
  return stdout
}

const STEP = `
step() { echo "== $1"; shift; "$@" 2>&1 | sed 's/time="[^"]*"//'; echo "-> \${PIPESTATUS[0]}"; }
`

const CTR = `${STEP}
ctr() { command ctr --address /run/docker/containerd/containerd.sock --namespace test "$@"; }
new="--runc-binary $1 --cpu-shares 0 --env PATH=/bin --rootfs /srv/images/payload"
step run ctr run --rm $new one sh -c 'echo hello; cat /proc/self/limits; busybox grep Sig[BIC] /proc/self/status'
step run ctr run --rm $new two sh -c 'exit 7'
step 'run --detach' ctr run --detach --null-io $new three sleep 1000
step exec ctr task exec --exec-id first three echo inside
step pause ctr task pause three
step resume ctr task resume three
step kill ctr task kill --signal KILL three
for turn in $(seq 100); do ctr task ls | grep -q STOPPED && break; sleep 0.1; done
step delete ctr task delete three
step rm ctr container rm three
step ls ctr container ls
rm -r /run/containerd/runc /run/containerd/fifo
rmdir /sys/fs/cgroup/test
`

async function lifeOfBundle(
  host: ContainerHost,
  engine: EngineName,
  runtime: string,
): Promise<string> {
  const id = `plain-${engine}`
  const [, , , bundle = ''] = await engineCommand(host, engine, id, {
    argv: ['sh', '-c', 'trap "exit 5" TERM; cat /proc/self/limits; while :; do sleep 0.1; done'],
  })
  const { stdout } = await host.machine.run('bash', ['-c', BUNDLE, 'bash', runtime, bundle], {
    timeoutMs: 100_000,
  })
  await host.removeBundle(id)
  return stdout
}

const BUNDLE = `${STEP}
state() { "$runtime" state plain | sed -n 's/.*"status": "\\(.*\\)".*/\\1/p'; }
runtime=$1
step version "$runtime" --version
step features "$runtime" features
step help "$runtime" --help
step nonsense "$runtime" --nonsense
step 'none such' "$runtime" state plain
"$runtime" create --bundle "$2" plain </dev/null >/dev/null 2>&1
step created state
step start "$runtime" start plain
step state state
step exec "$runtime" exec plain echo inside
step 'exec, its exit code' "$runtime" exec plain sh -c 'exit 9'
step pause "$runtime" pause plain
step state state
step resume "$runtime" resume plain
step list "$runtime" list --quiet
step kill "$runtime" kill plain KILL
for turn in $(seq 100); do [ "$(state)" = stopped ] && break; sleep 0.1; done
step delete "$runtime" delete plain
step gone "$runtime" state plain
"$runtime" run --bundle "$2" plain >/tmp/ran 2>&1 &
for turn in $(seq 100); do grep -q Max /tmp/ran && break; sleep 0.1; done
step kill "$runtime" kill plain TERM
wait $!
echo "== run: $?"
step output cat /tmp/ran
rm /tmp/ran
`
