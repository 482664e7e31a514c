import { optionSyntax, type OptionSyntax } from './option-syntax.js'

/** What stands between `docker` and the verb: `docker --help` of 20.10 and 28. */
export const DOCKER_GLOBAL: OptionSyntax = optionSyntax('pflag', {
  values: 'config context host log-level tlscacert tlscert tlskey',
  switches: 'debug help tls tlsverify version',
  letters: { c: 'context', D: 'debug', H: 'host', l: 'log-level', v: 'version' },
})

export const DOCKER_LETTERS: Readonly<Record<string, string>> = {
  a: 'attach',
  c: 'cpu-shares',
  d: 'detach',
  e: 'env',
  h: 'hostname',
  i: 'interactive',
  l: 'label',
  m: 'memory',
  p: 'publish',
  P: 'publish-all',
  q: 'quiet',
  t: 'tty',
  u: 'user',
  v: 'volume',
  w: 'workdir',
}

/** Older names, which `--help` does not show. */
export const DOCKER_SYNONYMS: Readonly<Record<string, string>> = {
  'dns-opt': 'dns-option',
  net: 'network',
  'net-alias': 'network-alias',
}

/** `docker run` and `docker create`: their `--help` of 20.10 and 28. */
export const DOCKER_RUN: OptionSyntax = optionSyntax('pflag', {
  values: `add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count
    cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach-keys
    device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-option
    dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries
    health-start-interval health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip ip6 ipc isolation
    kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory memory-reservation
    memory-swap memory-swappiness mount name network network-alias oom-score-adj pid pids-limit platform publish pull
    restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts
    volume volume-driver volumes-from workdir`,
  switches: `detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged publish-all
    quiet read-only rm sig-proxy tty use-api-socket`,
  letters: DOCKER_LETTERS,
  synonyms: DOCKER_SYNONYMS,
})

/** `docker start`: its `--help` of 20.10 and 28. */
export const DOCKER_START: OptionSyntax = optionSyntax('pflag', {
  interspersed: true,
  values: 'checkpoint checkpoint-dir detach-keys',
  switches: 'attach help interactive',
  letters: { a: 'attach', i: 'interactive' },
})
