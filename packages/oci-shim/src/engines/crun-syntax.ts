import { optionSyntax, type OptionSyntax } from './option-syntax.js'

/** What stands between `crun` and the verb: `crun --help` of 1.8 and 1.28. */
export const CRUN_GLOBAL: OptionSyntax = optionSyntax('argp', {
  values: 'cgroup-manager log log-format log-level root rootless',
  switches: 'debug help systemd-cgroup usage version',
  letters: { '?': 'help', v: 'version', V: 'version' },
})

/** `crun run` and `crun create`: their `--help` of 1.8 and 1.28. */
export const CRUN_RUN: OptionSyntax = optionSyntax('argp', {
  values: 'bundle config console-socket pid-file preserve-fds',
  switches: 'detach help keep no-new-keyring no-pivot no-subreaper usage',
  letters: { '?': 'help', b: 'bundle', d: 'detach', f: 'config' },
})

export const CRUN_START: OptionSyntax = optionSyntax('argp', {
  switches: 'help usage',
  letters: { '?': 'help' },
})
