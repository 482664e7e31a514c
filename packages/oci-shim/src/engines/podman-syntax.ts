import { DOCKER_LETTERS } from './docker-syntax.js'
import { optionSyntax, type OptionSyntax } from './option-syntax.js'

// These are also taken after the verb; `--connection`, `--identity`, `--remote` and `--url` are not.
const ANYWHERE_VALUES = `cdi-spec-dir cgroup-manager config conmon cpu-profile db-backend default-mounts-file events-backend
  hooks-dir imagestore log-level max-workers memory-profile module namespace network-cmd-path network-config-dir out
  registries-conf root runroot runtime runtime-flag ssh storage-driver storage-opt tls-ca tls-cert tls-key tmpdir
  volumepath`
const ANYWHERE_SWITCHES = 'help noout syslog trace transient-store'

/** What stands between `podman` and the verb: `podman --help` of 4.3 and 5.8. */
export const PODMAN_GLOBAL: OptionSyntax = optionSyntax('pflag', {
  values: `${ANYWHERE_VALUES} connection identity url`,
  switches: `${ANYWHERE_SWITCHES} remote version`,
  letters: { c: 'connection', r: 'remote', v: 'version' },
})

/** `podman run` and `podman create`: their `--help` of 4.3 and 5.8. */
export const PODMAN_RUN: OptionSyntax = optionSyntax('pflag', {
  values: `${ANYWHERE_VALUES} add-host annotation arch attach authfile blkio-weight blkio-weight-device cap-add cap-drop
    cert-dir cgroup-conf cgroup-parent cgroupns cgroups chrootdirs cidfile conmon-pidfile cpu-period cpu-quota
    cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems creds decryption-key detach-keys device
    device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-option dns-search
    entrypoint env env-file env-merge expose gidmap gpus group-add group-entry health-cmd health-interval
    health-log-destination health-max-log-count health-max-log-size health-on-failure health-retries
    health-start-period health-startup-cmd health-startup-interval health-startup-retries health-startup-success
    health-startup-timeout health-timeout hostname hosts-file hostuser image-volume init-ctr init-path ip ip6 ipc
    kernel-memory label label-file log-driver log-opt mac-address memory memory-reservation memory-swap
    memory-swappiness mount name network network-alias oom-score-adj os passwd-entry personality pid pidfile pids-limit
    platform pod pod-id-file preserve-fd preserve-fds publish pull rdt-class requires restart retry retry-delay
    sdnotify seccomp-policy secret security-opt shm-size shm-size-systemd stop-signal stop-timeout subgidname
    subuidname sysctl systemd timeout tmpfs tz uidmap ulimit umask unsetenv user userns uts variant volume volumes-from
    workdir`,
  switches: `${ANYWHERE_SWITCHES} detach disable-content-trust env-host http-proxy init interactive no-healthcheck
    no-hostname no-hosts oom-kill-disable passwd privileged publish-all quiet read-only read-only-tmpfs replace rm rmi
    rootfs sig-proxy tls-verify tty unsetenv-all`,
  letters: DOCKER_LETTERS,
  synonyms: {
    'dns-opt': 'dns-option',
    'healthcheck-command': 'health-cmd',
    'healthcheck-interval': 'health-interval',
    'healthcheck-retries': 'health-retries',
    'healthcheck-start-period': 'health-start-period',
    'healthcheck-timeout': 'health-timeout',
    net: 'network',
    'override-arch': 'arch',
    'override-os': 'os',
    'override-variant': 'variant',
  },
})

/** `podman start`: its `--help` of 4.3 and 5.8. */
export const PODMAN_START: OptionSyntax = optionSyntax('pflag', {
  interspersed: true,
  values: `${ANYWHERE_VALUES} detach-keys filter`,
  switches: `${ANYWHERE_SWITCHES} all attach interactive latest sig-proxy`,
  letters: { a: 'attach', f: 'filter', i: 'interactive', l: 'latest' },
})
