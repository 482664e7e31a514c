// Bundles what `tsc -b` has made of the `sdbridge` command into few files, dist/command, which bin/sdbridge.js runs. Decision 0019 tells why.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

/** @typedef {import('rolldown').OutputChunk | import('rolldown').OutputAsset} Output */

const here = dirname(fileURLToPath(import.meta.url))
const destination = join(here, 'dist/command')
// Written beside and renamed, so that no command that starts meanwhile finds half of it.
const temporary = `${destination}.${process.pid}`

/**
 * `debug` takes its colours from supports-color if some other tool has brought that along, here or where the command is installed. A
 * program of root's loads nothing that happens to lie there.
 *
 * @type {import('rolldown').Plugin}
 */
const withoutColours = {
  name: 'without-colours',
  resolveId: (id) => (id === 'supports-color' ? '\0supports-color' : undefined),
  load: (id) => (id === '\0supports-color' ? 'export {}' : undefined),
}

/** Of what several subcommands need, what each of them loads. */
const COMMON = new Set([
  ...['cli/parse-words', 'cli/succeed', 'cli/usage-error', 'cli/container-directory'],
  ...['cli/absolute-path', 'cli/failure-policy', 'control/container-name', 'daemon/places'],
  ...['engines/labels', 'injection/annotated-unit', 'run/bridge-error', 'run/operator-log'],
  ...['runtime/json-values', 'cli/subcommands'],
])

const { output } = await bundle()
output.push(...(await bundleHook()).output)
for (const name of ['run.js', 'run-by-daemon.js', 'daemon.js']) checkThatIsWhole(output, name)
mkdirSync(temporary)
for (const chunk of output) writeFileSync(join(temporary, chunk.fileName), textOf(chunk))
writeFileSync(join(temporary, 'LICENSES.txt'), licencesOf(output.flatMap(modulesOf)))
rmSync(destination, { recursive: true, force: true })
renameSync(temporary, destination)

async function bundle() {
  const build = await rolldown({
    input: { sdbridge: join(here, 'dist/cli/main.js') },
    platform: 'node',
    // Nothing of ours does anything when it is imported, but the program itself.
    treeshake: { moduleSideEffects: false },
    plugins: [withoutColours],
    onLog: (level, log) => {
      throw new Error(`${level}: ${log.message}`)
    },
  })
  return await build.generate({
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    // What several subcommands need is in one file; but for the little that a hook needs, which is started with each container.
    codeSplitting: {
      groups: [
        { name: 'control', test: /dist\/control\/call-daemon\.js$/, priority: 2 },
        { name: 'common', test: inCommon, priority: 3 },
        { name: 'shared', minShareCount: 2 },
      ],
    },
    // Names and lines stay, for stack traces; the comments are in src.
    minify: false,
    minifyInternalExports: false,
    comments: false,
  })
}

/** The hooks that each container is started with: one file, in the older format of modules, which is loaded faster. */
async function bundleHook() {
  const build = await rolldown({
    input: { hook: join(here, 'dist/hooks/main.js') },
    platform: 'node',
    treeshake: { moduleSideEffects: false },
    // What it needs only when it fails, or is called in another way, it takes from the others.
    external: (id) => /(?:tell-caller|cli\/main)\.js$/.test(id),
    onLog: (level, log) => {
      throw new Error(`${level}: ${log.message}`)
    },
  })
  return await build.generate({
    format: 'cjs',
    entryFileNames: '[name].cjs',
    paths: (id) =>
      id.replace(/^.*\/(?=tell-caller\.js$)/, './').replace(/^.*\/main\.js$/, './sdbridge.js'),
    minify: false,
    comments: false,
  })
}

/** @param {string} id */
function inCommon(id) {
  return COMMON.has(relative(join(here, 'dist'), id).replace(/\.js$/, ''))
}

/**
 * The package may be upgraded below a bridge that runs on for weeks: all that it needs is loaded when it starts.
 *
 * @param {Output[]} chunks
 * @param {string} name
 */
function checkThatIsWhole(chunks, name) {
  const found = chunks.find(({ fileName }) => fileName === name)
  if (found?.type !== 'chunk') throw new Error(`there is no ${name}`)
  if (found.dynamicImports.length > 0)
    throw new Error(`${name} loads ${found.dynamicImports.join(', ')} later`)
}

/**
 * One character beyond Latin-1 would make V8 keep the text of the whole file with two bytes for each.
 *
 * @param {Output} chunk
 */
function textOf(chunk) {
  if (chunk.type !== 'chunk') throw new Error(`${chunk.fileName} is no JavaScript`)
  const { code, fileName } = chunk
  if (/String\.raw`[^`]*\P{ASCII}/u.test(code)) throw new Error(`${fileName}: raw, and not ASCII`)
  return code.replaceAll(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** @param {Output} chunk */
function modulesOf(chunk) {
  return chunk.type === 'chunk' ? chunk.moduleIds : []
}

/**
 * The licences of what others wrote, which ask to go wherever the code goes.
 *
 * @param {string[]} modules
 */
function licencesOf(modules) {
  const folders = modules.flatMap(
    (module) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(module) ?? [],
  )
  return [...new Set(folders)].toSorted().map(licenceOf).join('\n')
}

/** @param {string} folder */
function licenceOf(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((each) => /^licen[cs]e(?:\.|$)/i.test(each))
  if (file === undefined) throw new Error(`${name} ${version} has no file of its licence`)
  return `${name} ${version}, which is part of this command:\n\n${readFileSync(join(folder, file), 'utf8')}`
}
