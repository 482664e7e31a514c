/** The longest time that a timer of Node can wait, in milliseconds; one that is to wait longer fires at once. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1
