#!/usr/bin/env node
// Kept apart from the compiled code so that it is there to link when the package is installed in a checkout.
import { statSync } from 'node:fs'

// In a checkout, what the compiler has made since the command was bundled is what counts. What is installed has no record of a compiler's.
const bundled = timeOf('../dist/command/sdbridge.js')
const compiled = ['..', '../../syscalls', '../../notify', '../../listen-fds'].map((folder) =>
  timeOf(`${folder}/tsconfig.tsbuildinfo`),
)
if (bundled > Math.max(...compiled)) await import('../dist/command/sdbridge.js')
else await import('../dist/cli/main.js')

/** @param {string} path */
function timeOf(path) {
  return statSync(new URL(path, import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
