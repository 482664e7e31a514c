import { jsonCommand } from './json-command.js'

export const HELP = `Usage: sdbridge ps [--json]

Lists the containers that the daemon bridges: their unit, engine and state, what they have said last,
for how long they have been ready, when they last pinged the watchdog, and how many of their messages
have gone to the service manager and how many have not, with the reasons.

Options:
  --json  one line of JSON for each, with times in milliseconds since 1970
  --help  show this text

Exit status: 0; 2 for a mistake on the command line; 125 if the daemon does not answer.
`

/** `sdbridge ps`. */
export async function main(args: readonly string[]): Promise<number> {
  return await jsonCommand(args, HELP, async (asJson) => {
    const { printContainers } = await import('../control/print-containers.js')
    await printContainers(asJson)
  })
}
