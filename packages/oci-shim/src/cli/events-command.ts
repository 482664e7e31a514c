import { jsonCommand } from './json-command.js'

export const HELP = `Usage: sdbridge events [--json]

Follows what happens to the containers that the daemon bridges, until it is interrupted: registered,
ready, reloading, stopping, status, dropped, unregistered, unit-ended; and whom the daemon has refused.

Options:
  --json  one line of JSON for each, with the time in milliseconds since 1970
  --help  show this text

Exit status: 0 when the daemon has ended; 2 for a mistake on the command line; 125 if the daemon does
not answer, or this has read too slowly.
`

/** `sdbridge events`. */
export async function main(args: readonly string[]): Promise<number> {
  return await jsonCommand(args, HELP, async (asJson) => {
    const { printEvents } = await import('../control/print-events.js')
    await printEvents(asJson)
  })
}
