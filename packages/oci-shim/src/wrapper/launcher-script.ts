import { RECORD_START_STATE } from '@sdbridge/syscalls'
import { REQUEST_ANNOTATION, REQUEST_VARIABLE } from '../engines/descriptor-request.js'
import { LAUNCHER_MARK } from '../engines/launcher-mark.js'
import type { OptionSyntax } from '../engines/option-syntax.js'
import { shellWord } from '../words/shell-words.js'
import { patternsOf } from './option-patterns.js'
import { MAKING_VERBS, type RuntimeSyntax, syntaxOf } from './runtime-call.js'
import { INHERITED_FDS, KEPT_NODE_OPTIONS } from './runtime-environment.js'

/** Absolute paths: some engines call a runtime without PATH. */
export interface LauncherPaths {
  /** runc, crun or one like them. */
  readonly lowLevel: string
  readonly node: string
  /** The `sdbridge` command's own file. */
  readonly sdbridge: string
  readonly grep: string
}

/**
 * The program that engines start in place of a low-level runtime. It becomes that at once, by exec, unless it is to make a container whose
 * configuration asks for descriptors: whatever is wrong with sdbridge or Node does not concern any other container. POSIX sh; it starts
 * nothing but grep, and that for `create`, `run` and `restore` alone.
 *
 * What the runtime is given is what the launcher was given, but for what every shell does on its way: variables may come in another order;
 * PWD is set; those of a name that no shell can have, such as `a-b`, are gone (dash, busybox), and its own (IFS, OPTIND, PPID) are what it
 * sets them to; a SIGCHLD that was ignored is not. bash and busybox set SHLVL too.
 */
export function launcherScript({ lowLevel, node, sdbridge, grep }: LauncherPaths): string {
  const become = shellWord(lowLevel)
  // Names that no environment has, for what it has is handed on. Started outside of (), grep would cost the signal mask: dash's vfork clears it.
  return `${LAUNCHER_MARK}# Written by sdbridge runtime install, which writes it anew.
sdbridge_verb='' sdbridge_bundle='' sdbridge_config='' sdbridge_next=''
for sdbridge_word; do
  case $sdbridge_next:$sdbridge_word in
    bundle:*) sdbridge_bundle=$sdbridge_word sdbridge_next='' ;;
    config:*) sdbridge_config=$sdbridge_word sdbridge_next='' ;;
    value:* | guess: | guess:[!-]*) sdbridge_next='' ;;
    *)
      sdbridge_next=''
      case $sdbridge_verb:$sdbridge_word in
${casesOf(syntaxOf(lowLevel))
  .map((each) => `        ${each} ;;`)
  .join('\n')}
      esac
      ;;
  esac
done
if [ -n "$sdbridge_verb" ] && (exec ${shellWord(grep)} -q -s -F -e ${REQUEST_ANNOTATION} -e ${REQUEST_VARIABLE}= -- "\${sdbridge_config:-\${sdbridge_bundle:-.}/config.json}"); then
  if [ -n "\${NODE_OPTIONS+set}" ]; then
    ${KEPT_NODE_OPTIONS}=$NODE_OPTIONS
    export ${KEPT_NODE_OPTIONS}
    unset NODE_OPTIONS
  fi
  ${INHERITED_FDS}=''
  for sdbridge_file in /proc/self/fdinfo/*; do
    while read -r sdbridge_key sdbridge_flags; do
      # 02000000 is O_CLOEXEC.
      if [ "$sdbridge_key" = flags: ] && [ $((sdbridge_flags & 02000000)) = 0 ]; then
        ${INHERITED_FDS}="$${INHERITED_FDS} \${sdbridge_file##*/}"
      fi
    done 2>/dev/null <"$sdbridge_file"
  done
  export ${INHERITED_FDS}
  ${RECORD_START_STATE.trim().replaceAll('\n', '\n  ')}
  exec ${shellWord(node)} ${shellWord(sdbridge)} runtime --low-level ${become} -- "$@"
fi
exec ${become} "$@"
`
}

/** What a word means, as parseRuntimeCall() has it: in front of the verb, and behind one that makes a container. */
function casesOf({ global, making }: RuntimeSyntax): string[] {
  const syntaxes = MAKING_VERBS.map((verb) => making[verb])
  const told = ['bundle', 'config'].flatMap((name) => {
    const syntax = syntaxes.find(({ values }) => values.has(name))
    return syntax === undefined ? [] : casesOfTold(name, syntax)
  })
  return [
    ':--)',
    ...casesOfOthers('', [global]),
    `${MAKING_VERBS.map((verb) => `:${verb}`).join(' | ')}) sdbridge_verb=making`,
    ':*) break',
    'making:--) break',
    ...told,
    ...casesOfOthers('making', syntaxes),
    // runc looks for options behind the container's id as well.
    ...(making.create.interspersed ? [] : ['*) break']),
  ]
}

/** Of an option whose value counts. */
function casesOfTold(name: string, syntax: OptionSyntax): string[] {
  const { alone, equals, prefixes } = patternsOf(name, syntax)
  return [
    `${inState('making', alone)}) sdbridge_next=${name}`,
    `${inState('making', equals)}) sdbridge_${name}=\${sdbridge_word#*=}`,
    ...prefixes.map((each) => `making:${each}?*) sdbridge_${name}=\${sdbridge_word#${each}}`),
  ]
}

/** Of all other options: whether the next word is their value. */
function casesOfOthers(state: string, syntaxes: readonly OptionSyntax[]): string[] {
  const all = (kind: 'values' | 'switches'): string[] =>
    syntaxes.flatMap((syntax) =>
      [...syntax[kind]].flatMap((name) => patternsOf(name, syntax).alone),
    )
  const joined = ['-*=*', ...(syntaxes[0]?.grammar === 'argp' ? ['-[!-]?*'] : [])]
  return [
    `${inState(state, all('values'))}) sdbridge_next=value`,
    `${inState(state, [...all('switches'), ...joined])})`,
    // One of a version to come: most take a value.
    `${inState(state, ['-*'])}) sdbridge_next=guess`,
  ]
}

function inState(state: string, patterns: readonly string[]): string {
  return [...new Set(patterns)].map((each) => `${state}:${each}`).join(' | ')
}
