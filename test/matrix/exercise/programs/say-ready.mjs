import { ready } from '@sdbridge/notify'

process.stdout.write(`${await ready()}\n`)
