/** The two ways in which an export does not pass. */

/** Something is wrong: with the entry at this index, or with the log as a whole. */
export class Wrong extends Error {
  override readonly name = 'Wrong'
  readonly rule: string
  readonly index: number | null

  constructor(rule: string, message: string, index: number | null = null) {
    super(message)
    this.rule = rule
    this.index = index
  }
}

/** It could not be checked, which is not the same as good. */
export class Unchecked extends Error {
  override readonly name = 'Unchecked'
}
