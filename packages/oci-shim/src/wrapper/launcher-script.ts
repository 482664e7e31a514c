import { RECORD_START_STATE } from '@sdbridge/syscalls'
import { REQUEST_ANNOTATION, REQUEST_VARIABLE } from '../engines/descriptor-request.js'
import { LAUNCHER_MARK } from '../engines/launcher-mark.js'
import type { OptionSyntax } from '../engines/option-syntax.js'
import { shellWord } from '../words/shell-words.js'
import { MAKING_VERBS, syntaxOf } from './runtime-call.js'
import { KEPT_NODE_OPTIONS } from './runtime-environment.js'

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
 */
export function launcherScript({ lowLevel, node, sdbridge, grep }: LauncherPaths): string {
  const { global, making } = syntaxOf(lowLevel)
  const values = MAKING_VERBS.flatMap((verb) => patternsOf(making[verb]))
  const others = new Set(values.filter((each) => ![...BUNDLE, ...CONFIG].includes(each)))
  const become = shellWord(lowLevel)
  // Names that no environment has, for what it has is handed on.
  return `${LAUNCHER_MARK}# Written by sdbridge runtime install, which writes it anew.
sdbridge_verb='' sdbridge_bundle=. sdbridge_config='' sdbridge_next=''
for sdbridge_word; do
  case $sdbridge_next in
    bundle) sdbridge_bundle=$sdbridge_word ;;
    config) sdbridge_config=$sdbridge_word ;;
    value) ;;
    *)
      if [ -z "$sdbridge_verb" ]; then
        case $sdbridge_word in
          ${patternsOf(global).join('|')}) sdbridge_next=value ;;
          -*) ;;
          ${MAKING_VERBS.join('|')}) sdbridge_verb=$sdbridge_word ;;
          *) break ;;
        esac
      else
        case $sdbridge_word in
          ${BUNDLE.join('|')}) sdbridge_next=bundle ;;
          ${BUNDLE.map((each) => `${each}=*`).join('|')}) sdbridge_bundle=\${sdbridge_word#*=} ;;
          ${CONFIG.join('|')}) sdbridge_next=config ;;
          ${CONFIG.map((each) => `${each}=*`).join('|')}) sdbridge_config=\${sdbridge_word#*=} ;;
          ${[...others].join('|')}) sdbridge_next=value ;;
          --) break ;;
        esac
      fi
      continue
      ;;
  esac
  sdbridge_next=''
done
if [ -n "$sdbridge_verb" ] && ${shellWord(grep)} -q -s -F -e ${REQUEST_ANNOTATION} -e ${REQUEST_VARIABLE}= -- "\${sdbridge_config:-$sdbridge_bundle/config.json}"; then
  if [ -n "\${NODE_OPTIONS+set}" ]; then
    ${KEPT_NODE_OPTIONS}=$NODE_OPTIONS
    export ${KEPT_NODE_OPTIONS}
    unset NODE_OPTIONS
  fi
  ${RECORD_START_STATE.trim().replaceAll('\n', '\n  ')}
  exec ${shellWord(node)} ${shellWord(sdbridge)} runtime --low-level ${become} -- "$@"
fi
exec ${become} "$@"
`
}

const BUNDLE = ['--bundle', '-bundle', '-b']
const CONFIG = ['--config', '-config', '-f']

/** How the options that take the next word as their value are written. runc, as all of Go's own, knows one dash as well. */
function patternsOf({ values, letters }: OptionSyntax): string[] {
  return [
    ...[...values].flatMap((name) => [`--${name}`, `-${name}`]),
    ...Object.keys(letters)
      .filter((letter) => values.has(letters[letter] ?? ''))
      .map((letter) => `-${letter}`),
  ]
}
