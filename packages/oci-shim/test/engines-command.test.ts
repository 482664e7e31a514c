import { describe, expect, test } from 'vitest'
import { EngineError } from '../src/engines/engine-error.js'
import { isSwitchedOn, optionValue, parseEngineCommand } from '../src/engines/engine-command.js'

/** Words of a shell without quotes. */
function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

function parse(text: string): NonNullable<ReturnType<typeof parseEngineCommand>> {
  const command = parseEngineCommand(words(text))
  if (command === undefined) throw new Error(`not understood: ${text}`)
  return command
}

describe('what an engine is told to do', () => {
  test.each([
    ['docker run web', 'docker', 'run', ''],
    ['/usr/bin/docker run web', 'docker', 'run', ''],
    ['./docker create web', 'docker', 'create', ''],
    ['docker start web', 'docker', 'start', ''],
    ['docker container run web', 'docker', 'run', ''],
    ['docker -H x --context=y run web', 'docker', 'run', '-H x --context=y'],
    ['docker -Hx -Dc run run web', 'docker', 'run', '-Hx -Dc run'],
    [
      'docker --tls --log-level run container create web',
      'docker',
      'create',
      '--tls --log-level run',
    ],
    ['docker --tlsverify=false run web', 'docker', 'run', '--tlsverify=false'],
    ['nerdctl -n k8s.io --address /x run web', 'nerdctl', 'run', '-n k8s.io --address /x'],
    ['podman --root /x --runroot /y run web', 'podman', 'run', '--root /x --runroot /y'],
    [
      'podman --syslog --log-level debug container start web',
      'podman',
      'start',
      '--syslog --log-level debug',
    ],
    ['podman -c prod run web', 'podman', 'run', '-c prod'],
    ['runc --root /x --systemd-cgroup run web', 'runc', 'run', '--root /x --systemd-cgroup'],
    ['runc -root /x -debug=true create web', 'runc', 'create', '-root /x -debug=true'],
    ['runc start web', 'runc', 'start', ''],
    [
      'crun --cgroup-manager=cgroupfs --debug run web',
      'crun',
      'run',
      '--cgroup-manager=cgroupfs --debug',
    ],
    ['crun --roo /x start web', 'crun', 'start', '--roo /x'],
  ])('%s', (text, engine, verb, globals) => {
    const command = parse(text)

    expect(command).toMatchObject({ engine, verb, globals: words(globals) })
    expect([command.file, ...command.globals, ...command.verbWords, ...command.words]).toEqual(
      words(text),
    )
  })

  test.each([
    '',
    'sudo docker run web',
    'env A=1 docker run web',
    'docker-compose up',
    'dockerd run',
    'DOCKER run web',
    'docker',
    'docker --version',
    'docker --version run web',
    'docker --help',
    'docker run --help',
    'docker run -it --help web',
    'docker pull web',
    'docker compose up web',
    'docker compose run web',
    'docker container ls',
    'docker image run',
    'podman kube play web.yaml',
    'podman pod start web',
    'podman run --help',
    'runc spec',
    'runc container run web',
    'runc run -h',
    'crun run --usage',
    'crun -? run',
    'run docker run web',
  ])('any other command: %s', (text) => {
    expect(parseEngineCommand(words(text))).toBeUndefined()
  })

  test.each([
    'docker exec -it web sh',
    'docker container exec web sh',
    'docker restart web',
    'docker attach web',
    'docker unpause web',
    'podman --root /x container restore web',
    'runc --root /x restore web',
    'runc exec web sh',
    'crun resume web',
  ])('refused, in one line: %s', (text) => {
    expect(() => parseEngineCommand(words(text))).toThrow(
      expect.objectContaining({
        code: 'ERR_ENGINE_VERB',
        message: expect.not.stringContaining('\n'),
      }),
    )
    expect(() => parseEngineCommand(words(text))).toThrow(EngineError)
  })
})

describe("image, container and the payload's own arguments are told from options", () => {
  test.each([
    ['docker run img run -d', 'img run -d'],
    ['docker run img -d --name x', 'img -d --name x'],
    ['docker run -d img', 'img'],
    ['docker run -itd img sh', 'img sh'],
    ['docker run -ite A=1 img', 'img'],
    ['docker run -iteA=1 img', 'img'],
    ['docker run -e -d img', 'img'],
    ['docker run --name --rm img', 'img'],
    ['docker run --name=--rm img', 'img'],
    ['docker run --env A --env B=2 img A', 'img A'],
    ['docker run -p80:80 -p 81:81 -p=82:82 img', 'img'],
    ['docker run --rm=true --init=false img', 'img'],
    ['docker run -- -weird -d', '-weird -d'],
    ['docker run -i -- img -- -d', 'img -- -d'],
    ['docker run - -d', '- -d'],
    ['docker run --net none --dns-opt x img', 'img'],
    ['docker run --use-api-socket --gpus all img', 'img'],
    ['docker run --cpus 2 -m 1g -c 3 -h host img', 'img'],
    ['docker run -detach img', 'img'],
    ['docker run -d=false img', 'img'],
    ['docker run -it=false img', 'img'],
    ['docker run --mount type=tmpfs,dst=/x --health-cmd true img', 'img'],
    ['nerdctl run --rootfs --verify none /srv/root sh', '/srv/root sh'],
    ['nerdctl run --namespace k8s.io img', 'img'],
    ['podman run --log-level=debug --root /x img', 'img'],
    ['podman run --sdnotify conmon --cgroups split img', 'img'],
    ['podman run --healthcheck-command true --replace img', 'img'],
    ['podman run --tls-verify=false --rootfs /srv/root sh -c x', '/srv/root sh -c x'],
    ['podman run --read-only --read-only-tmpfs img', 'img'],
    ['docker start web -a', 'web'],
    ['docker start -ai web', 'web'],
    ['docker start --detach-keys ctrl-a web', 'web'],
    ['podman start --filter a=b -l', ''],
    ['runc run --bundle /x web', 'web'],
    ['runc run -b /x web', 'web'],
    ['runc run -b=/x web', 'web'],
    ['runc run -bundle /x -detach web', 'web'],
    ['runc run web --bundle /x -d', 'web'],
    ['runc run --pid-file p --no-pivot -- --weird', '--weird'],
    ['crun run -db /x web', 'web'],
    ['crun run -b/x --pid p web', 'web'],
    ['crun run --bun=/x web', 'web'],
    ['crun run --det --config x web', 'web'],
    ['crun run web --bundle /x', 'web --bundle /x'],
  ])('%s', (text, operands) => {
    expect(parse(text)).toMatchObject({ operands: words(operands), unknownOptions: [] })
  })

  test('an option that is not known is taken to have a value', () => {
    expect(parse('docker run --new-thing value -d img')).toMatchObject({
      operands: ['img'],
      unknownOptions: ['--new-thing'],
    })
  })

  test('an option that is not known, before a dash, is taken for a switch', () => {
    const command = parse('docker run --new-thing -d img')

    expect(command.operands).toEqual(['img'])
    expect(isSwitchedOn(command, 'detach')).toBe(true)
  })

  test('an option that is not known leaves alone what follows its own value', () => {
    const command = parse('docker run --new-thing=value img -d')

    expect(command.operands).toEqual(['img', '-d'])
    expect(isSwitchedOn(command, 'detach')).toBe(false)
  })

  test('a letter that is not known', () => {
    expect(parse('docker run -Z -d img')).toMatchObject({
      operands: ['img'],
      unknownOptions: ['-Z'],
    })
    expect(parse('docker run -Zvalue -d img')).toMatchObject({ operands: ['img'] })
  })
})

describe('what options say', () => {
  test.each([
    ['docker run -d img', true],
    ['docker run --detach img', true],
    ['docker run -itd img', true],
    ['docker run -d=true img', true],
    ['docker run --detach=1 img', true],
    ['docker run img -d', false],
    ['docker run -d --detach=false img', false],
    ['docker run --detach=false -d img', true],
    ['docker run -d=F img', false],
    ['docker run -e -d img', false],
    ['docker run -detach img', true],
    ['docker run -edetach img', false],
    ['crun run --det web', true],
    ['runc run web -d', true],
    ['crun run web -d', false],
  ])('%s: detached %s', (text, detached) => {
    expect(isSwitchedOn(parse(text), 'detach')).toBe(detached)
  })

  test('of an option that is given twice the last counts', () => {
    expect(optionValue(parse('docker run --name a --name=b img'), 'name')).toBe('b')
  })

  test('an older name is the newer one', () => {
    expect(optionValue(parse('docker run --net host img'), 'network')).toBe('host')
  })

  test('abbreviated as crun lets it be, and as docker does not', () => {
    expect(optionValue(parse('crun run --bun /x web'), 'bundle')).toBe('/x')
    expect(optionValue(parse('docker run --nam x img'), 'name')).toBeUndefined()
  })
})
