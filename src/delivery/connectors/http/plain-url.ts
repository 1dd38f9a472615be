/** Addresses that say where something is, and nothing else. */

/** Whether it has no user, no query and no fragment. */
export function isPlainUrl(text: string): boolean {
  const { username, password, search, hash } = new URL(text)
  return username === '' && password === '' && search === '' && hash === ''
}
