/** @typedef {import('./groups.js').Setting} Setting */

const ENGINES = /** @type {const} */ (['runc', 'crun', 'docker', 'podman'])

/** @param {Setting} setting @returns {import('./groups.js').Group[]} */
export function launchGroups({ engines }) {
  return ENGINES.map((engine) => {
    /** @param {boolean} isBridged */
    const run = async (isBridged) => {
      const time = await engines.launch(engine, isBridged)
      return time === undefined ? undefined : { time }
    }
    return {
      name: `launch ${engine}`,
      title: `Starting a container: ${engine} run`,
      method:
        `From the start of the command until the first word of the payload, \`echo\` of busybox, is heard. Both are started by a unit, so that the bridge ` +
        'asks systemd for its settings; in a machine made of namespaces, whose images are overlays in memory.',
      unit: 'ms',
      contestants: [
        { title: `${engine} run`, run: () => run(false) },
        { title: `sdbridge run -- ${engine} run`, run: () => run(true) },
      ],
    }
  })
}
