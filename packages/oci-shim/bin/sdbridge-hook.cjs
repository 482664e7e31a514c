#!/usr/bin/env node
// What runtimes call: `sdbridge hook createRuntime` and `poststop`, started faster. See sdbridge.js beside this about which of the two it is.
const { statSync } = require('node:fs')
const { join } = require('node:path')

const bundled = timeOf('../dist/command/hook.cjs')
const compiled = ['..', '../../syscalls', '../../notify', '../../listen-fds'].map((folder) =>
  timeOf(`${folder}/tsconfig.tsbuildinfo`),
)
if (bundled > Math.max(...compiled)) require('../dist/command/hook.cjs')
else void import('../dist/hooks/main.js')

/** @param {string} path */
function timeOf(path) {
  return statSync(join(__dirname, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
