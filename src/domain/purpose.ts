/** Purposes: a closed vocabulary, written `support.refunds.goodwill`. */

export const PURPOSE = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/

/** The same purpose, or one below it. */
export function isWithin(purpose: string, above: string): boolean {
  return purpose === above || purpose.startsWith(`${above}.`)
}
