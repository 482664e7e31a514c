/** What the callback of a write gets that was under way when its stream was destroyed: node:net says the same. */
export function canceledWrite(): Error {
  return Object.assign(new Error('write ECANCELED: the stream was destroyed'), {
    code: 'ECANCELED',
  })
}
