/** What came of one rival in one scenario. */
export interface Observation {
  /** `none` where the question does not arise. */
  answer: 'yes' | 'partly' | 'no' | 'none'
  /** What was seen, in words that are the same whenever the same is seen. */
  fact: string
}

export const yes = (fact: string): Observation => ({ answer: 'yes', fact })
export const partly = (fact: string): Observation => ({ answer: 'partly', fact })
export const no = (fact: string): Observation => ({ answer: 'no', fact })
export const none = (fact: string): Observation => ({ answer: 'none', fact })
