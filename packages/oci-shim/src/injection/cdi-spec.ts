import { createHash } from 'node:crypto'
import type { UnitNotification } from './unit-notification.js'

/** How a container is given what it needs to notify for a unit: `docker run --device sdbridge.io/unit=web`. */
export interface CdiDevice {
  /** `sdbridge.io/unit=web`. */
  readonly device: string
  /** The file's name, without a directory. */
  readonly fileName: string
  /** The Container Device Interface's file, as JSON. */
  readonly text: string
}

/**
 * The Container Device Interface's file for a unit. Its version is the oldest that knows all that is in it: readers refuse a file of a version that is
 * newer than they are (docker 28 one of 1.1.0). It has no hooks: the bridge makes the directory before its command is started, and takes it away.
 */
export function cdiDevice({ unit, mount, variables }: UnitNotification): CdiDevice {
  const name = deviceNameOf(unit.replace(/\.service$/, ''))
  const spec = {
    cdiVersion: '0.5.0',
    kind: KIND,
    devices: [
      {
        name,
        containerEdits: {
          env: Object.entries(variables).map(([key, value]) => `${key}=${value}`),
          mounts: [
            {
              hostPath: mount.source,
              containerPath: mount.target,
              options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec'],
            },
          ],
        },
      },
    ],
  }
  return {
    device: `${KIND}=${name}`,
    fileName: `sdbridge-${name}.json`,
    text: `${JSON.stringify(spec, null, 2)}\n`,
  }
}

const KIND = 'sdbridge.io/unit'

// A name of a device has fewer characters than one of a unit, and ends with a letter or digit.
function deviceNameOf(unit: string): string {
  if (/^[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?$/.test(unit)) return unit
  const plain = unit.replaceAll(/[^\w.-]/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return `${plain || 'unit'}-${createHash('sha256').update(unit).digest('hex').slice(0, 12)}`
}
