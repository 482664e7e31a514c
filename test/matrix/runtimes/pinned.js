// @ts-check

/**
 * What is fetched from the npm registry and executed: nothing whose content is not written down here. For another
 * version: `npm view NAME@VERSION dist.integrity`, and run the matrix. `file` is executed; `headers`, if there, is the folder
 * that addons are compiled with.
 *
 * @typedef {{ package: string, version: string, file: string, headers?: string, integrity: string }} Pinned
 */

/** The Node lines of `engines`, as they are published for x64. @type {readonly Pinned[]} */
export const NODE_X64 = [
  nodeOf(
    'x64',
    '20.20.2',
    'PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  ),
  nodeOf(
    'x64',
    '22.23.3',
    'qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  ),
  nodeOf(
    'x64',
    '24.21.0',
    '3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  ),
  nodeOf(
    'x64',
    '26.10.0',
    'OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
  ),
]

/** The same for arm64. @type {readonly Pinned[]} */
export const NODE_ARM64 = [
  nodeOf(
    'arm64',
    '20.20.2',
    'LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
  ),
  nodeOf(
    'arm64',
    '22.23.3',
    'l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
  ),
  nodeOf(
    'arm64',
    '24.21.0',
    'FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  ),
  nodeOf(
    'arm64',
    '26.10.0',
    'idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
  ),
]

/** Those that run on this machine as they are. */
export const NODE_HERE = process.arch === 'arm64' ? NODE_ARM64 : NODE_X64

/**
 * pnpm as one file for musl: the Node 26.0.0 that nodejs.org's unofficial builds make for musl, and a program in it.
 * It is the only Node for musl that the registry has.
 *
 * @type {Pinned}
 */
export const PNPM_IN_NODE_FOR_MUSL = {
  package: '@pnpm/linuxstatic-x64',
  version: '11.21.0',
  file: 'pnpm',
  integrity:
    'sha512-6Y2u+AfOUuTqWgTCpFhySL8HAcONDucCFixKle9tWoW7bm8RF0+fwQBRWNWGdx+Toau07wZ1LNZPqN8gpgeBDQ==',
}

/** Not among the runtimes that are promised; it has Node-API, and is made for musl too. @type {Record<'glibc' | 'musl', Pinned>} */
export const BUN = {
  glibc: {
    package: '@oven/bun-linux-x64',
    version: '1.4.5',
    file: 'bin/bun',
    integrity:
      'sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==',
  },
  musl: {
    package: '@oven/bun-linux-x64-musl',
    version: '1.4.5',
    file: 'bin/bun',
    integrity:
      'sha512-10QoW/YfTgnURaGEaHpJCiXjLI2e5iTtfVDaA5JKcyUzaa1cq6cVUY9/Uq5XkYzvtRjHLRe9Oj/lTDIQcxy8HQ==',
  },
}

/**
 * @param {string} arch
 * @param {string} version
 * @param {string} sha512
 * @returns {Pinned}
 */
function nodeOf(arch, version, sha512) {
  return {
    package: `node-linux-${arch}`,
    version,
    file: 'bin/node',
    headers: 'include',
    integrity: `sha512-${sha512}`,
  }
}
