// @ts-check
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { runQuietly } from '../support/run-quietly.js'

/**
 * A registry, on this machine, that has these tarballs and nothing else: what depends on another of them finds it
 * as a user's package manager would. Other scopes stay with the registry that is configured.
 *
 * @param {readonly import('./pack-packages.js').Packed[]} packed
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export async function registryOf(packed) {
  const manifests = await Promise.all(
    packed.map(({ file }) => runQuietly('tar', ['-xzOf', file, 'package/package.json'])),
  )
  let url = ''
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '')
    const index = packed.findIndex(({ name }) => path === `/${name}` || path === `/${name}.tgz`)
    const found = packed[index]
    if (found === undefined) {
      response.writeHead(404).end('{}')
    } else if (path.endsWith('.tgz')) {
      response.end(readFileSync(found.file))
    } else {
      const { name, version, integrity } = found
      const dist = { tarball: `${url}${name}.tgz`, integrity }
      const versions = { [version]: { ...JSON.parse(manifests[index] ?? ''), dist } }
      // Old enough for every package manager's patience.
      const time = { created: LONG_AGO, modified: LONG_AGO, [version]: LONG_AGO }
      const document = { name, 'dist-tags': { latest: version }, versions, time }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  url = `http://127.0.0.1:${port}/`
  return { url, close: () => server.close() }
}

const LONG_AGO = '2020-01-01T00:00:00.000Z'
