import { listenOrBind } from '@sdbridge/listen-fds'
import { serve } from 'srvx'

const { node } = serve({ manual: true, fetch: () => new Response('hello from srvx\n') })

await listenOrBind(node.server, { name: 'web', fallback: 8080 })
