import { execFileSync } from 'node:child_process'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

/** The paths of a private key and a certificate that it has signed itself; they go with the test. */
export function makeCertificate(): readonly [key: string, certificate: string] {
  const directory = temporaryDirectory()
  const [key, certificate] = [`${directory}/key.pem`, `${directory}/cert.pem`] as const
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = ['-keyout', key, '-out', certificate]
  const args = ['req', '-x509', ...newKey, ...files, '-days', '1', '-subj', '/CN=localhost']
  execFileSync('openssl', args, { stdio: 'pipe' })
  return [key, certificate]
}
