import { randomBytes } from 'node:crypto'
import { mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { closeFd } from '@sdbridge/syscalls'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'
import { type BrokerOptions, DescriptorBroker } from '../../dist/broker/descriptor-broker.js'
import { cgroupsOf } from '../../dist/cgroups/process-cgroups.js'

/** What `sdbridge run` does for the runtime of its container: here whoever is in this process' cgroup may ask. */
export class Bridge {
  readonly id = randomBytes(16).toString('hex')
  readonly path: string
  readonly refusals: string[] = []
  handedOver = 0
  readonly broker: DescriptorBroker

  constructor(names: readonly string[], options: Partial<BrokerOptions> = {}) {
    const directory = temporaryDirectory()
    this.path = join(directory, 'descriptors.sock')
    const files = join(directory, 'files')
    mkdirSync(files)
    const fds = names.map((name) => openSync(join(files, name), 'w+'))
    this.broker = new DescriptorBroker({
      path: this.path,
      id: this.id,
      rule: { unitCgroup: cgroupsOf('self')[0], engineUnits: [] },
      fds,
      names,
      onHandedOver: () => (this.handedOver += 1),
      onRefused: (reason) => this.refusals.push(reason),
      ...options,
    })
    onTestFinished(() => {
      this.broker.close()
      for (const fd of fds) closeFd(fd)
    })
  }

  /** What a container asks with. */
  get request(): string {
    return `${this.id}@${this.path}`
  }
}
