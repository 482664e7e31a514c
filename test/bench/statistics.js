/** @typedef {{ median: number, low: number, high: number }} Spread The middle, and the quartiles around it. */

/** @param {readonly number[]} numbers @returns {Spread} */
export function spreadOf(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other)
  return { median: at(sorted, 0.5), low: at(sorted, 0.25), high: at(sorted, 0.75) }
}

/** What a part of them is below. @param {readonly number[]} numbers @param {number} part */
export function quantile(numbers, part) {
  return at(
    numbers.toSorted((one, other) => one - other),
    part,
  )
}

/** @param {readonly number[]} sorted @param {number} part */
function at(sorted, part) {
  const place = (sorted.length - 1) * part
  const before = sorted[Math.floor(place)] ?? Number.NaN
  const after = sorted[Math.ceil(place)] ?? Number.NaN
  return before + (after - before) * (place - Math.floor(place))
}
