/** Proof, as a value, that something is on the ledger. */

/** `value` is durable at `index`. Made in ledger/ only, so that nothing else can be signed. */
export class Recorded<T> {
  readonly value: T
  readonly index: number
  readonly eventId: string
  readonly #onRecord = true
  private constructor(value: T, index: number, eventId: string) {
    this.value = value
    this.index = index
    this.eventId = eventId
  }
  /** A claim by the ledger: the transaction that appended this has committed. */
  static onRecord<T>(value: T, index: number, eventId: string): Recorded<T> {
    return new Recorded(value, index, eventId)
  }
  /** The private field makes the type nominal. */
  get isDurable(): boolean {
    return this.#onRecord
  }
}
