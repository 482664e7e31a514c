/** @typedef {import('./groups.js').Setting} Setting */

/** @param {Setting} setting @returns {import('./groups.js').Group[]} */
export function runtimeGroups({ engines }) {
  /** @param {'create' | 'state'} verb @param {'runc' | 'launcher' | 'asking'} how */
  const call = async (verb, how) => {
    const time = await engines.callRuntime(verb, how)
    return time === undefined ? undefined : { time }
  }
  return [
    {
      name: 'runtime create',
      title: 'sdbridge runtime: making a container',
      method:
        'From the start of the call until its end, as an engine waits for it. A container that asks for nothing costs a shell and a grep; one that asks, a Node process ' +
        'that becomes runc, and what its bridge takes to answer.',
      unit: 'ms',
      contestants: [
        { title: 'runc create', run: () => call('create', 'runc') },
        {
          title: 'by the launcher, which the container asks for nothing',
          run: () => call('create', 'launcher'),
        },
        {
          title: 'by the launcher, with a socket of the unit',
          run: () => call('create', 'asking'),
        },
      ],
    },
    {
      name: 'runtime state',
      title: 'sdbridge runtime: any other call',
      method: 'The same for `state`; kill, start and delete go the same way.',
      unit: 'ms',
      contestants: [
        { title: 'runc state', run: () => call('state', 'runc') },
        { title: 'by the launcher', run: () => call('state', 'launcher') },
      ],
    },
  ]
}
