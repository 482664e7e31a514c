import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { complaintsAbout, CAN_VERIFY } from '../../../test/docs/unit-files.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

const SCRIPT = fileURLToPath(new URL('../bin/sdbridge.js', import.meta.url))

interface Outcome {
  stdout: string
  stderr: string
  status: number | null
}

function sdbridge(args: string[], env: NodeJS.ProcessEnv = {}): Outcome {
  const result = spawnSync(process.execPath, [SCRIPT, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NOTIFY_SOCKET: undefined, ...env },
  })
  return { stdout: result.stdout, stderr: result.stderr, status: result.status }
}

const NAMES = ['run', 'cleanup', 'unit', 'doctor', 'runtime', 'cdi', 'hook', 'version']

describe('help and version', () => {
  test.each([['help'], ['--help'], ['-h']])('sdbridge %s', (word) => {
    const { stdout, stderr, status } = sdbridge([word])

    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    for (const name of NAMES) expect(stdout).toContain(`\n  ${name} `)
  })

  test.each(NAMES)('of sdbridge %s, in three ways', (name) => {
    const outcomes = [
      [name, '--help'],
      [name, '-h'],
      ['help', name],
    ].map((args) => sdbridge(args))

    for (const outcome of outcomes) {
      expect(outcome).toEqual({ stdout: outcomes[0]?.stdout, stderr: '', status: 0 })
      expect(outcome.stdout.startsWith(`Usage: sdbridge ${name}`)).toBe(true)
    }
  })

  test('fits a terminal that is not narrow', () => {
    for (const words of [
      ...[...NAMES, 'help'].map((name) => ['help', name]),
      ['runtime', 'install', '--help'],
      ['runtime', 'uninstall', '--help'],
    ])
      for (const line of sdbridge(words).stdout.split('\n'))
        expect(line.length).toBeLessThanOrEqual(102)
  })

  test.each([['version'], ['--version']])('sdbridge %s', (word) => {
    const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
    const { version } = JSON.parse(text) as { version: string }

    expect(sdbridge([word])).toEqual({ stdout: `sdbridge ${version}\n`, stderr: '', status: 0 })
  })
})

describe('a mistake on the command line: one line, a hint, and exit status 2', () => {
  test.each([
    [[], '', 'a subcommand is missing'],
    [['nonsense'], '', "'nonsense'"],
    [['--nonsense'], '', "'--nonsense'"],
    [['help', 'nonsense'], '', "'nonsense'"],
    [['help', 'run', 'unit'], '', "'unit'"],
    [['run'], 'run', 'COMMAND'],
    [['run', '--'], 'run', 'COMMAND'],
    [['run', '--print'], 'run', 'COMMAND'],
    [['run', '--nonsense', 'true'], 'run', "'--nonsense'"],
    [['run', '-x', 'true'], 'run', "'-x'"],
    [['run', '--senders'], 'run', '--senders'],
    [['run', '--senders', 'root', 'true'], 'run', "'root'"],
    [['run', '--senders=uid:', 'true'], 'run', "'uid:'"],
    [['run', '--senders=uid:1,x', 'true'], 'run', "'uid:1,x'"],
    [['run', '--senders=uid:4294967295', 'true'], 'run', "'uid:4294967295'"],
    [['run', '--store-limit=-1', 'true'], 'run', "'-1'"],
    [['run', '--store-limit', 'x', 'true'], 'run', "'x'"],
    [['run', '--pull-limit', '1.5', 'true'], 'run', "'1.5'"],
    [['run', '--print=yes', 'true'], 'run', '--print'],
    [['run', '--container-directory', 'run/notify', 'true'], 'run', "'run/notify'"],
    [['run', '--container-directory', '/', 'true'], 'run', "'/'"],
    [['run', '--container-directory', '/a:b', 'true'], 'run', "'/a:b'"],
    [['run', '--container-directory', '/a,b', 'true'], 'run', "'/a,b'"],
    [['run', '--container-directory', '/a/../b', 'true'], 'run', "'/a/../b'"],
    [['run', '--container-directory', '/proc/x', 'true'], 'run', "'/proc/x'"],
    [['run', '--unit', 'a/b', 'true'], 'run', "'a/b'"],
    ...[
      ['--senders', 'init'],
      ['--main-pid'],
      ['--notify-access'],
      ['--store-limit', '7'],
      ['--pull-limit', '60'],
      ['--stop-timeout', '60'],
      ['--systemd'],
      ['--unit', 'web'],
    ].map((words): [string[], string, string] => [
      ['run', '--daemon', ...words, 'true'],
      'run',
      `--daemon with ${words[0]}`,
    ]),
    [['cleanup', 'web'], 'cleanup', "'web'"],
    [['cleanup', '--unit', ''], 'cleanup', "''"],
    [['cleanup', '--unit', 'a/b'], 'cleanup', "'a/b'"],
    [['cleanup', '--nonsense'], 'cleanup', "'--nonsense'"],
    [['version', 'x'], 'version', "'x'"],
    [['doctor', 'web'], 'doctor', "'web'"],
    [['doctor', '--unit', 'a/b'], 'doctor', "'a/b'"],
    [['unit'], 'unit', 'image'],
    [['unit', '--engine', 'lxc', 'web'], 'unit', "'lxc'"],
    [['unit', '--engine', 'runc', '/nonexistent'], 'unit', '/nonexistent/config.json'],
    [['unit', '--socket', '80', '--user', 'web'], 'unit', '--engine podman'],
    [['unit', '--socket', 'a b', '--engine', 'podman', 'web'], 'unit', "'a b'"],
    [['unit', '--only', 'socket', 'web'], 'unit', '--socket'],
    [['unit', '--only', 'x', 'web'], 'unit', "'x'"],
    [['unit', '--name', 'a b', 'web'], 'unit', "'a b'"],
    [['unit', '--name', 'a@b', 'web'], 'unit', "'a@b'"],
    [['unit', '--', '-x'], 'unit', "'-x'"],
    [['runtime'], 'runtime', 'install, uninstall or --low-level'],
    [['runtime', '--low-level', 'runc'], 'runtime', 'absolute'],
    [['runtime', 'install', 'docker'], 'runtime', "'docker'"],
    [['runtime', 'install', '--nonsense'], 'runtime', "'--nonsense'"],
    [['runtime', 'install', '--name', 'runc'], 'runtime', "'runc'"],
    [['runtime', 'install', '--name', 'a.b'], 'runtime', "'a.b'"],
    [['runtime', 'install', '--directory', 'lib'], 'runtime', "'lib'"],
    [['runtime', 'install', '--low-level', 'runc'], 'runtime', "'runc'"],
    [['runtime', 'install', '--docker-config', 'x.json'], 'runtime', "'x.json'"],
    [['runtime', 'install', '--force'], 'runtime', "'--force'"],
    [['runtime', 'uninstall', '--low-level', '/bin/runc'], 'runtime', "'--low-level'"],
    [['cdi'], 'cdi', 'a unit'],
    [['cdi', 'web', 'other'], 'cdi', "'other'"],
    [['cdi', 'a/b'], 'cdi', "'a/b'"],
    [['cdi', '--', '-x'], 'cdi', "'-x'"],
    [['cdi', '--output', 'x', 'web'], 'cdi', "'x'"],
    [['hook'], 'hook', 'found none'],
    [['hook', 'startContainer'], 'hook', "'startContainer'"],
    [['hook', 'install', 'web'], 'hook', "'web'"],
    [['hook', 'install', '--directory', 'x'], 'hook', "'x'"],
    [['hook', 'precreate', '--container-directory', '/'], 'hook', "'/'"],
  ])('sdbridge %j', (args, subcommand, complaint) => {
    const { stdout, stderr, status } = sdbridge(args)

    expect({ stdout, status }).toEqual({ stdout: '', status: 2 })
    const help = subcommand === '' ? 'sdbridge --help' : `sdbridge ${subcommand} --help`
    const [line = '', hint, ...rest] = stderr.split('\n')
    expect(line).toMatch(/^sdbridge: /)
    expect(line).toContain(complaint)
    expect([hint, ...rest]).toEqual([`Try '${help}'.`, ''])
  })
})

describe('sdbridge run --print', () => {
  test('shows the command as a shell would take it', () => {
    const directory = temporaryDirectory()
    const { stdout, stderr, status } = sdbridge(
      [
        'run',
        '--unit',
        'web.service',
        '--print',
        '--',
        'docker',
        'run',
        '-d',
        'img',
        "it's $HOME",
        '',
      ],
      { RUNTIME_DIRECTORY: directory },
    )

    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(stdout).toMatch(
      /^docker run --name sdbridge-web\.service --label io\.sdbridge\.unit=web\.service /,
    )
    expect(stdout).toContain(`source=${directory}/web.service/notify,target=/run/notify,readonly`)
    expect(stdout.endsWith(String.raw` -d img 'it'\''s $HOME' ''` + '\n')).toBe(true)
    const words = spawnSync('sh', ['-c', `printf '%s\\0' ${stdout}`], { encoding: 'utf8' })
    expect(words.stdout.split('\0').slice(-5, -1)).toEqual(['-d', 'img', "it's $HOME", ''])
  })

  test('options of the command are no options of sdbridge, with or without a --', () => {
    for (const separator of [[], ['--']]) {
      const { stdout } = sdbridge([
        'run',
        '--print',
        ...separator,
        'docker',
        'run',
        '--print',
        'img',
        '--help',
      ])

      expect(stdout).toMatch(/ --print img --help\n$/)
    }
  })

  test('another directory in the container', () => {
    const args = ['--print', '--container-directory', '/var//notify/', 'docker', 'run', 'img']
    const { stdout } = sdbridge(['run', ...args])

    expect(stdout).toContain(',target=/var/notify,')
    expect(stdout).toContain('--env NOTIFY_SOCKET=/var/notify/notify.sock')
  })

  test('systemd as the payload', () => {
    const args = ['--print', '--systemd', 'docker', 'run', 'img']
    const { stdout } = sdbridge(['run', ...args])

    expect(stdout).toContain(',target=/run/host,')
    expect(stdout).toContain('--env NOTIFY_SOCKET=/run/host/notify ')
    expect(stdout).toContain('--stop-signal=SIGRTMIN+3')
  })

  test('systemd as the payload, with a directory elsewhere', () => {
    const { stdout } = sdbridge([
      ...['run', '--print', '--systemd', '--container-directory', '/var/host'],
      ...['podman', 'run', 'img'],
    ])

    expect(stdout).toContain('--env NOTIFY_SOCKET=/var/host/notify ')
  })

  test('systemd as the payload, and what cannot be', () => {
    const watched = sdbridge(['run', '--print', '--systemd', 'docker', 'run', 'img'], {
      WATCHDOG_USEC: '5000000',
    })
    expect(watched.status).toBe(2)
    expect(watched.stderr).toMatch(/^sdbridge: --systemd: the unit has WatchdogSec=5,[^\n]+\n$/)
    const all = ['--senders', 'all']
    const heard = sdbridge(['run', '--print', '--systemd', ...all, 'docker', 'run', 'img'], {
      WATCHDOG_USEC: '5000000',
    })
    expect(heard.status).toBe(0)
    const other = sdbridge(['run', '--print', '--systemd', 'true'])
    expect(other).toMatchObject({ status: 2, stdout: '' })
    expect(other.stderr).toContain('expected a command of docker, podman, runc or crun, found true')
  })

  test('nothing is made', () => {
    const directory = temporaryDirectory()
    sdbridge(['run', '--print', 'docker', 'run', 'img'], { RUNTIME_DIRECTORY: directory })

    expect(spawnSync('find', [directory, '-mindepth', '1'], { encoding: 'utf8' }).stdout).toBe('')
  })

  test('what cannot be bridged is refused, in one line', () => {
    for (const command of ['docker run --restart=always img', 'docker exec web sh', 'docker run']) {
      const { stdout, stderr, status } = sdbridge(['run', '--print', '--', ...command.split(' ')])

      expect({ stdout, status }).toEqual({ stdout: '', status: 2 })
      expect(stderr).toMatch(/^sdbridge: [^\n]+\n$/)
    }
  })
})

describe('sdbridge unit', () => {
  test('an image, with the engine found', () => {
    const path = programs('docker')
    const { stdout, stderr, status } = sdbridge(
      ['unit', 'registry.example:5000/team/web:1.2', 'a b', '100%'],
      { PATH: path },
    )

    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(stdout.startsWith('# /etc/systemd/system/web.service\n')).toBe(true)
    expect(stdout).toContain(
      `ExecStart=${process.execPath} ${SCRIPT} run -- ${path}/docker run --rm --name web --log-driver=none registry.example:5000/team/web:1.2 "a b" 100%%\n`,
    )
    expect(stdout).toContain(`ExecStopPost=${process.execPath} ${SCRIPT} cleanup\n`)
    for (const line of [
      'Type=notify',
      'NotifyAccess=main',
      'KillMode=mixed',
      'Requires=docker.service',
    ])
      expect(stdout).toContain(`\n${line}\n`)
  })

  test('an engine that is not there', () => {
    const { stdout, stderr, status } = sdbridge(['unit', '--engine', 'crun', bundle()], {
      PATH: '/nonexistent',
    })

    // It is found in /usr/sbin without any PATH, where there is one.
    if (status === 0) return
    expect({ stdout, status }).toEqual({ stdout: '', status: 127 })
    expect(stderr).toContain('crun')
  })

  test('a bundle is for runc', () => {
    const directory = bundle()
    const { stdout } = sdbridge(['unit', '--name', 'web.service', directory], {
      PATH: programs('runc'),
    })

    expect(stdout).toContain(`/runc run --bundle ${directory} web\n`)
    expect(stdout).toContain('\nDelegate=yes\n')
  })

  test('a name with a colon, after which RuntimeDirectory= has the name of a link', () => {
    const { stdout } = sdbridge(['unit', '--name', 'a:b', bundle()], { PATH: programs('runc') })

    expect(stdout).toContain('\nRuntimeDirectory=sdbridge-a-b\n')
  })

  test('one of the two units', () => {
    const env = { PATH: programs('podman') }
    const args = ['--engine', 'podman', '--socket', '8080', '--socket', '/run/web.sock', 'web']
    const both = sdbridge(['unit', ...args], env).stdout
    const service = sdbridge(['unit', '--only', 'service', ...args], env).stdout
    const socket = sdbridge(['unit', '--only', 'socket', ...args], env).stdout

    expect(both).toBe(`${service}\n${socket}`)
    expect(socket).toContain('\nListenStream=8080\nListenStream=/run/web.sock\n')
    expect(service).toContain('\nRequires=web.socket\n')
  })

  test('sockets with docker take its runtime sdbridge', () => {
    const args = ['unit', '--socket', '8080', 'web']
    const { stdout, status } = sdbridge(args, { PATH: programs('docker') })

    expect(status).toBe(0)
    expect(stdout).toContain(' --log-driver=none --runtime=sdbridge web\n')
    expect(stdout).toContain('# docker hands on no sockets by itself: its runtime sdbridge does')
    expect(stdout).toContain('\nListenStream=8080\n')
    const plain = sdbridge(['unit', 'web'], { PATH: programs('docker') }).stdout
    // Not the word alone: the command's own path may have it.
    expect(plain).not.toContain('--runtime')
    expect(plain).not.toContain('# docker hands on no sockets')
  })

  test.skipIf(!CAN_VERIFY).each([
    ['docker', ['web']],
    ['docker', ['--socket', '8080', 'web']],
    ['docker', ['--user', 'web']],
    [
      'docker',
      [
        '--name',
        'a-b.c:d',
        'example.com/web:1',
        'x y',
        '$HOME',
        '%n',
        '"quoted"',
        "it's",
        'a\\b',
        '#',
        ';',
      ],
    ],
    ['podman', ['--engine', 'podman', 'web']],
    ['podman', ['--engine', 'podman', '--user', 'web']],
    [
      'podman',
      [
        '--engine',
        'podman',
        '--socket',
        '8080',
        '--socket',
        '127.0.0.1:81',
        '--socket',
        '/run/a',
        '--socket',
        '@b',
        'web',
      ],
    ],
    ['runc', ['--engine', 'runc', '--socket', '8080', 'BUNDLE']],
    ['crun', ['--engine', 'crun', 'BUNDLE']],
    ['docker', ['--systemd', 'web']],
  ])('systemd-analyze verify has nothing to say: %s %j', async (engine, args) => {
    const words = args.map((word) => (word === 'BUNDLE' ? bundle() : word))
    const { stdout, status } = sdbridge(['unit', ...words], { PATH: programs(engine) })
    expect(status).toBe(0)
    const units = stdout.split(/\n(?=# \S+\/\S+\.socket\n)/).map((code) => ({ code }))
    const companion = {
      code: '# docker.service\n[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes\n',
    }

    for (const unit of units) {
      // For a user's manager it is verified like any other.
      const system = units.map(({ code }) => ({
        code: code.replace('~/.config/systemd/user/', ''),
      }))
      const own = { code: unit.code.replace('~/.config/systemd/user/', '') }
      expect(await complaintsAbout(own, [...system, companion])).toBe('')
    }
  })

  test('for a container whose first process is systemd', () => {
    const { stdout } = sdbridge(['unit', '--systemd', 'web'], { PATH: programs('docker') })

    expect(stdout).toMatch(/^ExecStart=\S+ \S+ run --systemd -- \S+ run --rm /m)
    expect(stdout).toMatch(/^RestartForceExitStatus=133$/m)
    expect(stdout).toMatch(/^SuccessExitStatus=133$/m)
    expect(stdout).not.toMatch(/^WatchdogSec=/m)
  })

  test("a command's words, quoted for systemd", () => {
    const words = ['x y', '$HOME', '%n', '"quoted"', "it's", 'a\\b', 'tab\there', '#', ';', 'ü']
    const { stdout } = sdbridge(['unit', 'web', ...words], { PATH: programs('docker') })

    const line = /^ExecStart=(.*)$/m.exec(stdout)?.[1] ?? ''
    expect(line).toContain(
      String.raw`"x y" $$HOME %%n "\"quoted\"" "it's" "a\\b" "tab\x09here" # ";" ü`,
    )
  })
})

/** A directory with a program that is there to be found. */
function programs(name: string): string {
  const directory = temporaryDirectory()
  writeFileSync(join(directory, name), '#!/bin/sh\n')
  chmodSync(join(directory, name), 0o755)
  return directory
}

function bundle(): string {
  const directory = join(temporaryDirectory(), 'web')
  mkdirSync(directory)
  writeFileSync(join(directory, 'config.json'), '{}')
  return directory
}
