// @ts-check
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where what takes long to make or to fetch is kept between runs.
 *
 * @returns {string}
 */
export function cacheFolder() {
  const { SDBRIDGE_CACHE_DIR, XDG_CACHE_HOME } = process.env
  return SDBRIDGE_CACHE_DIR || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'sdbridge')
}
