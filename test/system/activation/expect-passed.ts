import { expect } from 'vitest'
import type { ActivatedService, PassedFd } from './activated-service.js'

/**
 * Expects that a service was passed these descriptors, from 3 on, close-on-exec and blocking where nothing else is said,
 * and that nothing of them is left in its environment or reaches a program that it starts.
 */
export async function expectPassed(
  service: ActivatedService,
  passed: readonly Partial<PassedFd>[],
): Promise<void> {
  const { fds, pid, announced, left, child } = await service.report()
  const expected = passed.map((each, index) =>
    Object.assign({ fd: 3 + index, listening: false, cloexec: true, nonBlocking: false }, each),
  )
  expect(fds).toEqual(expected)
  expect(announced).toMatchObject({
    LISTEN_PID: `${pid}`,
    LISTEN_FDS: `${fds.length}`,
    LISTEN_FDNAMES: fds.map(({ name }) => name).join(':'),
  })
  expect(Object.keys(left).filter((name) => name.startsWith('LISTEN_'))).toEqual([])
  expect(child).toEqual({ descriptors: [], variables: [] })
}
