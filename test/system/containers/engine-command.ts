import type { ContainerHost } from './container-host.js'
import type { Container, EngineName, RuntimeConfig } from './container.js'
import { CONTROL_FOLDER } from './payloads.js'

/**
 * The command line that runs a container, as somebody would write it into a unit who knows nothing of sdbridge. For runc
 * and crun it makes the bundle.
 *
 * @param id What tells it from others: the bundle's name, and the container's with runc and crun.
 */
export async function engineCommand(
  host: ContainerHost,
  engine: EngineName,
  id: string,
  container: Container,
): Promise<string[]> {
  if (engine === 'docker' || engine === 'podman') return imageCommand(engine, 'run', container)
  const bundle = await writeBundle(host, engine, id, container)
  return [`/usr/bin/${engine}`, 'run', '--bundle', bundle, container.name ?? id]
}

/** `docker run`, or another verb that takes an image. */
export function imageCommand(
  engine: 'docker' | 'podman',
  verb: 'run' | 'create',
  container: Container,
): string[] {
  const { name, image = 'payload', argv, env = {}, user, mounts = {}, options = [] } = container
  const words = [`/usr/bin/${engine}`, verb]
  if (container.isRemoved !== false) words.push('--rm')
  if (name !== undefined) words.push('--name', name)
  if (user !== undefined) words.push('--user', user)
  if (container.readOnly) words.push('--read-only')
  if (container.init) words.push('--init')
  for (const [key, value] of Object.entries(env)) words.push('--env', `${key}=${value}`)
  for (const [target, source] of Object.entries({ '/control': CONTROL_FOLDER, ...mounts })) {
    words.push('--volume', `${source}:${target}`)
  }
  return [...words, ...options, image, ...argv]
}

async function writeBundle(
  host: ContainerHost,
  engine: 'runc' | 'crun',
  id: string,
  container: Container,
): Promise<string> {
  const { image = 'payload', argv, env = {}, user, mounts = {}, readOnly = false } = container
  const config: RuntimeConfig = await host.bundleTemplate(engine)
  config.process.terminal = false
  config.process.args = argv
  config.process.env.push(...Object.entries(env).map(([key, value]) => `${key}=${value}`))
  if (user !== undefined) {
    const [uid, gid] = user.split(':').map(Number)
    Object.assign(config.process.user, { uid, gid })
  }
  config.root = { path: await host.copyOfImage(image, id), readonly: readOnly }
  for (const [target, source] of Object.entries({ '/control': CONTROL_FOLDER, ...mounts })) {
    config.mounts.push({
      destination: target,
      type: 'bind',
      source,
      options: ['rbind'],
    })
  }
  container.edit?.(config)
  return host.writeBundle(id, config)
}
