// @ts-check

/**
 * Takes as much off an input as it can, so that it still fails: whole chunks first, then single bytes, then what is left
 * is made plain.
 *
 * @param {Buffer} input
 * @param {(input: Buffer) => boolean | Promise<boolean>} fails
 * @returns {Promise<Buffer>}
 */
export async function shrink(input, fails) {
  let least = input
  const tryOne = async (/** @type {Buffer} */ candidate) => {
    if (!(await fails(candidate))) return false
    least = candidate
    return true
  }
  for (
    let size = Math.ceil(least.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < least.length;) {
      const without = Buffer.concat([least.subarray(0, at), least.subarray(at + size)])
      if (!(await tryOne(without))) at += size
    }
  }
  for (let at = 0; at < least.length; at++) {
    if (least[at] === 0x61) continue
    const plain = Buffer.from(least)
    plain[at] = 0x61
    await tryOne(plain)
  }
  return least
}
