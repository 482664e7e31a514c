import { DOCKER_LETTERS, DOCKER_RUN, DOCKER_SYNONYMS } from './docker-syntax.js'
import { optionSyntax, type OptionSyntax } from './option-syntax.js'

// nerdctl was not to be had where this was written: it follows docs/command-reference.md of its repository, of version 2.
const GLOBAL_VALUES = `address cgroup-manager cni-netconfpath cni-path data-root host host-gateway-ip hosts-dir namespace
  snapshotter storage-driver`
const GLOBAL_SWITCHES = 'debug debug-full experimental help insecure-registry'

/** What stands between `nerdctl` and the verb. */
export const NERDCTL_GLOBAL: OptionSyntax = optionSyntax('pflag', {
  values: GLOBAL_VALUES,
  switches: `${GLOBAL_SWITCHES} version`,
  letters: { a: 'address', H: 'host', n: 'namespace', v: 'version' },
})

/** `nerdctl run` and `nerdctl create`: docker's options, and its own. */
export const NERDCTL_RUN: OptionSyntax = optionSyntax('pflag', {
  values: `${GLOBAL_VALUES} ${[...DOCKER_RUN.values].join(' ')} cgroup-conf cosign-certificate-identity
    cosign-certificate-identity-regexp cosign-certificate-oidc-issuer cosign-certificate-oidc-issuer-regexp cosign-key
    init-binary ipfs-address pidfile rdt-class systemd umask verify`,
  switches: `${GLOBAL_SWITCHES} ${[...DOCKER_RUN.switches].join(' ')} rootfs`,
  letters: DOCKER_LETTERS,
  synonyms: DOCKER_SYNONYMS,
})

/** `nerdctl start`. */
export const NERDCTL_START: OptionSyntax = optionSyntax('pflag', {
  interspersed: true,
  values: `${GLOBAL_VALUES} detach-keys`,
  switches: `${GLOBAL_SWITCHES} attach interactive`,
  letters: { a: 'attach', i: 'interactive' },
})
