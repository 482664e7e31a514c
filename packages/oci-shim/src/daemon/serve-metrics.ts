import { createServer, type Server } from 'node:http'
import { Counter, Gauge, Registry } from 'prom-client'
import type { ContainerStatus } from '../control/control-message.js'

/**
 * Serves the daemon's numbers as Prometheus' text, at any path of `http+unix`.
 *
 * @param list What is known of the containers now.
 */
export function createMetricsServer(list: () => readonly ContainerStatus[]): Server {
  let listed: readonly ContainerStatus[] = []
  const registry = registryOf(() => listed)
  return createServer((request, response) => {
    request.resume()
    // Once for all metrics of an answer.
    listed = list()
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${(error as Error).message}\n`),
    )
  })
}

function registryOf(list: () => readonly ContainerStatus[]): Registry {
  const registry = new Registry()
  const registers = [registry]
  const containers = new Gauge({
    name: 'sdbridge_containers',
    help: 'Containers that are bridged, by what they have said last of themselves.',
    labelNames: ['state'],
    registers,
    collect: () => {
      containers.reset()
      for (const { state } of list()) containers.inc({ state })
    },
  })
  const perContainer = (
    name: string,
    help: string,
    value: (status: ContainerStatus) => number | undefined,
  ): void => {
    const settings = { name, help, labelNames: LABELS, registers }
    // What is known is the sum: it is counted from nothing at each look.
    const metric = name.endsWith('_total')
      ? new Counter({ ...settings, collect: () => fill() })
      : new Gauge({ ...settings, collect: () => fill() })
    const fill = (): void => {
      metric.reset()
      for (const status of list()) {
        const now = value(status)
        if (now !== undefined) metric.inc(labelsOf(status), now)
      }
    }
  }
  perContainer('sdbridge_messages_received_total', 'Messages that came.', (each) => each.received)
  perContainer(
    'sdbridge_messages_forwarded_total',
    'Messages that went to the service manager.',
    (each) => each.forwarded,
  )
  perContainer(
    'sdbridge_ready_timestamp_seconds',
    'When it last said that it is ready.',
    ({ readyAt }) => readyAt && readyAt / 1000,
  )
  perContainer(
    'sdbridge_watchdog_timestamp_seconds',
    'When it last pinged its watchdog.',
    ({ pingedAt }) => pingedAt && pingedAt / 1000,
  )
  const dropped = new Counter({
    name: 'sdbridge_dropped_total',
    help: 'Messages and fields of messages that did not go to the service manager, by reason.',
    labelNames: [...LABELS, 'what', 'reason'],
    registers,
    collect: () => {
      dropped.reset()
      for (const status of list()) {
        const { droppedFields: field, droppedMessages: message } = status
        for (const [what, counts] of Object.entries({ field, message })) {
          for (const [reason, count] of Object.entries(counts))
            dropped.inc({ ...labelsOf(status), what, reason }, count)
        }
      }
    },
  })
  return registry
}

const LABELS = ['name', 'unit', 'engine', 'container'] as const

function labelsOf({
  container,
  name,
  unit,
}: ContainerStatus): Record<(typeof LABELS)[number], string> {
  return { name, unit, engine: container.engine, container: container.id }
}
