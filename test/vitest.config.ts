import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The environment, the descriptor table and the pid are per process, and are what is tested here: so each
// file has a process of its own.
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: [
      'packages/*/test/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
      'test/*.test.ts',
      'test/docs/*.test.ts',
    ],
    pool: 'forks',
    // They wait more than they compute: on two cores vitest would run one file at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
  },
})
