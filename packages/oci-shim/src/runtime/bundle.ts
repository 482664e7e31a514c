import { readFile, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseExactJson, type ExactJson, type JsonObject } from './exact-json.js'
import { isObject } from './json-values.js'

/** A bundle (runtime-spec, bundle.md): a directory with `config.json` and what that names. */
export interface Bundle {
  /** Its absolute path, without symbolic links. */
  readonly directory: string
  readonly config: JsonObject
  readonly json: ExactJson
}

/** The file that configures a bundle's container: its `config.json`, or another (`crun --config`), relative to the working directory. */
export function configFileOf(path: string, file?: string): string {
  return file === undefined ? join(path, 'config.json') : resolve(file)
}

/**
 * Reads a bundle as the low-level runtime would find it.
 *
 * @throws What `fs` throws, or SyntaxError.
 */
export async function readBundle(path: string, file?: string): Promise<Bundle> {
  const directory = await realpath(path)
  const json = parseExactJson(await readFile(configFileOf(path, file), 'utf8'))
  if (!isObject(json.value)) throw new SyntaxError('not an object')
  return { directory, config: json.value, json }
}
