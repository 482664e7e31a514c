// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { PNPM } from '../packages/clean-checkout.js'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Asks the registry for advisories. A mirror may not serve any, which is said and is no failure; with
 * SDBRIDGE_REQUIRE_AUDIT=1, where the registry is known to answer, it is one.
 *
 * @returns {Promise<import('../support/outcomes.js').Counts & { remark: string }>}
 */
export async function audit() {
  const child = spawn('npx', [...PNPM, 'audit'], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  if (code === 0) return { passed: 1, failed: 0, skipped: 0, remark: stdout.trim() }
  const output = `${stdout}\n${stderr}`
  const [reason] =
    /ERR_PNPM_AUDIT_\w+|responded with \d+/.exec(output.replace(/^.*AUDIT_BAD_RESPONSE/m, '')) ?? []
  const hasNoAnswer = /ERR_PNPM_AUDIT_(BAD_RESPONSE|ENDPOINT_NOT_EXISTS)/.test(output)
  if (hasNoAnswer && process.env['SDBRIDGE_REQUIRE_AUDIT'] !== '1') {
    const remark = `NOT CHECKED: this registry serves no advisories (${reason ?? 'no answer'})`
    return { passed: 0, failed: 0, skipped: 0, notHere: 1, remark }
  }
  return { passed: 0, failed: 1, skipped: 0, remark: output.trim() }
}
