// @ts-check

/**
 * What pnpm-lock.yaml says, as far as it is checked. Its form is one that pnpm writes and nobody else: what does not
 * look like it is an error, and not overlooked.
 *
 * @typedef {object} Lockfile
 * @property {Map<string, string>} resolutions what follows `resolution:`, by `name@version`
 * @property {Map<string, string[]>} dependencies `name@version` of what each one needs, peers' suffixes taken off
 * @property {Map<string, string[]>} production the same for the run-time dependencies of each workspace package
 * @property {string[]} specifiers everything that a workspace package asks for
 */

/**
 * @param {string} text
 * @returns {Lockfile}
 */
export function parseLockfile(text) {
  /** @type {Lockfile} */
  const lockfile = {
    resolutions: new Map(),
    dependencies: new Map(),
    production: new Map(),
    specifiers: [],
  }
  /** The keys above the present line, by depth. @type {string[]} */
  const path = []
  for (const line of text.split('\n')) {
    const match = /^( *)('[^']+'|[^\s':][^:]*|[^\s':]\S*(?=:)):(?: (.*))?$/.exec(line)
    if (match === null) continue
    const [, indent = '', rawKey = '', rawValue] = match
    path.length = indent.length / 2
    path.push(unquote(rawKey))
    const value = rawValue === undefined ? undefined : unquote(rawValue)
    const [section, owner = '', kind = '', name = '', leaf] = path
    if (section === 'packages' && path.length === 2) lockfile.resolutions.set(owner, '(none)')
    if (section === 'packages' && kind === 'resolution')
      lockfile.resolutions.set(owner, value ?? '')
    if (section === 'snapshots' && path.length === 2) lockfile.dependencies.set(plain(owner), [])
    if (section === 'snapshots' && path.length === 4 && /^(optionalD|d)ependencies$/.test(kind)) {
      lockfile.dependencies.get(plain(owner))?.push(plain(`${name}@${value}`))
    }
    if (section === 'importers' && leaf === 'specifier')
      lockfile.specifiers.push(`${name}@${value}`)
    if (section === 'importers' && leaf === 'version' && kind === 'dependencies') {
      lockfile.production.set(owner, [
        ...(lockfile.production.get(owner) ?? []),
        plain(`${name}@${value}`),
      ])
    }
  }
  return lockfile
}

/**
 * Everything that a workspace package brings to whoever installs it.
 *
 * @param {Lockfile} lockfile
 * @param {string} importer such as `packages/notify`
 * @returns {string[]} `name@version`, sorted
 */
export function installedWith(lockfile, importer) {
  /** @type {Set<string>} */
  const found = new Set()
  const waiting = [...(lockfile.production.get(importer) ?? [])]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    // Another package of this repository has its own list.
    if (next.includes('@link:') || found.has(next)) continue
    found.add(next)
    waiting.push(...(lockfile.dependencies.get(next) ?? []))
  }
  return [...found].toSorted()
}

/** @param {string} text */
function unquote(text) {
  return text.replace(/^'(.*)'$/, '$1')
}

/** Without the peers that it was resolved with. @param {string} id */
function plain(id) {
  return id.replace(/\(.*$/, '')
}
