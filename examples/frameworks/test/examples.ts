import { findNpmPackage } from '../../../test/support/npm-package.js'
import { PYTHON, works } from '../../../test/support/real-program.js'
import {
  askLine,
  askLineByTls,
  askNodeIpc,
  askUdp,
  askWebSocket,
  type Client,
  curl,
} from './clients.js'

/** What a test has to know of a program. */
export interface Example {
  readonly file: string
  readonly client: Client
  readonly answer: RegExp | string
  /** The name of its socket. */
  readonly name: 'web' | 'echo'
  readonly protocol: 'tcp' | 'udp'
  /** Takes the paths of a key and a certificate. */
  readonly isSecure: boolean
  /** The folders of packages that are no dependency of the examples. */
  readonly more: readonly string[]
  /** Whether all that its test needs is here. */
  readonly isTestable: boolean
}

const hasCurl = works('curl', '--http2', '--version')
const hasPython = works(PYTHON, '-c', 'import ssl')
const hasOpenssl = works('openssl', 'version')
const nodeIpc = await findNpmPackage('node-ipc')

export const EXAMPLES: readonly Example[] = [
  web('http.js', 'hello from node:http\n'),
  { ...web('https.js', 'hello from node:https\n', curl('https')), ...secure(hasCurl) },
  { ...web('http2.js', 'hello over HTTP/2.0\n', curl('https', '--http2')), ...secure(hasCurl) },
  web('h2c.js', 'hello over HTTP/2.0\n', curl('http', '--http2-prior-knowledge')),
  echo('net.js', askLine),
  { ...echo('tls.js', askLineByTls), ...secure(hasPython) },
  { ...echo('dgram.js', askUdp), answer: 'hello', protocol: 'udp' },
  web('express.js', 'hello from express\n'),
  web('fastify.js', 'hello from fastify\n'),
  web('koa.js', 'hello from koa\n'),
  web('hono.js', 'hello from hono\n'),
  web('h3.js', 'hello from h3\n'),
  web('srvx.js', 'hello from srvx\n'),
  { ...web('ws.js', 'you said hello', askWebSocket), isTestable: hasPython },
  {
    ...web('node-ipc.js', '{"type":"greeting","data":{"hello":"world"}}', askNodeIpc),
    more: nodeIpc === undefined ? [] : [nodeIpc],
    isTestable: hasPython && nodeIpc !== undefined,
  },
  web('cluster.js', /^hello from \d+\n$/),
  web('worker-threads.js', /^hello from thread [1-4]\n$/),
]

function web(file: string, answer: RegExp | string, client = curl('http')): Example {
  const plain = { protocol: 'tcp', isSecure: false, more: [], isTestable: hasCurl } as const
  return { file, client, answer, name: 'web', ...plain }
}

function echo(file: string, client: Client): Example {
  return { ...web(file, 'hello\n', client), name: 'echo', isTestable: hasPython }
}

function secure(hasClient: boolean): { isSecure: true; isTestable: boolean } {
  return { isSecure: true, isTestable: hasClient && hasOpenssl }
}
