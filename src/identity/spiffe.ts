/** SPIFFE IDs: read in full, never by prefix. */

const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)+)$/

/** The trust domain of a workload's id; `null` for anything that is not exactly one. */
export function trustDomainOf(id: string): string | null {
  const [, domain, path = ''] = ID.exec(id.length <= 2048 ? id : '') ?? []
  if (domain === undefined || path.split('/').some((part) => part === '.' || part === '..')) {
    return null
  }
  return domain
}
