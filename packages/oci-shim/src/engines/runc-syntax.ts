import { optionSyntax, type OptionSyntax } from './option-syntax.js'

/** What stands between `runc` and the verb: `runc --help` of 1.1 and 1.3. */
export const RUNC_GLOBAL: OptionSyntax = optionSyntax('go-flag', {
  values: 'criu log log-format root rootless',
  switches: 'debug help systemd-cgroup version',
  letters: { h: 'help', v: 'version' },
})

/** `runc run` and `runc create`: their `--help` of 1.1 and 1.3. Options are also read behind the container's id. */
export const RUNC_RUN: OptionSyntax = optionSyntax('go-flag', {
  interspersed: true,
  values: 'bundle console-socket pid-file pidfd-socket preserve-fds',
  switches: 'detach help keep no-new-keyring no-pivot no-subreaper',
  letters: { b: 'bundle', d: 'detach', h: 'help' },
})

export const RUNC_START: OptionSyntax = optionSyntax('go-flag', {
  interspersed: true,
  switches: 'help',
  letters: { h: 'help' },
})

/** `runc restore`: its `--help` of 1.1 and 1.3. */
export const RUNC_RESTORE: OptionSyntax = optionSyntax('go-flag', {
  interspersed: true,
  values: `bundle console-socket empty-ns image-path lsm-mount-context lsm-profile manage-cgroups-mode parent-path pid-file
    work-path`,
  switches: `auto-dedup detach ext-unix-sk file-locks help lazy-pages no-pivot no-subreaper shell-job tcp-established
    tcp-skip-in-flight`,
  letters: { b: 'bundle', d: 'detach', h: 'help' },
})
