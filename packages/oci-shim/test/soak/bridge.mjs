// A bridge: bridge.mjs <container socket> <manager's socket>
import { NotifyProxy } from '../../dist/index.js'
import { answer } from './answer.mjs'

const [path, upstream] = process.argv.slice(2)
const store = { prefix: 'soak.', limit: Infinity }
const proxy = new NotifyProxy({ path, upstream, store, onDropped() {}, onForwarded() {} })
process.once('disconnect', () => proxy.close())
answer(() => {})
