import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where systemd-notify(1) is, or `undefined`. */
export function systemdNotifyPath(): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/bin']
  const files = directories
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, 'systemd-notify'))
  return files.find((file) => isExecutable(file))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
