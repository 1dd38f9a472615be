/**
 * What the protocol-true test server remembers: tokens, token roles, leases and the logins behind them, as
 * the public API documentation of Vault describes them. It is no Vault.
 */
import { randomBytes } from 'node:crypto'

export const random = () => randomBytes(12).toString('base64url').replace(/[_-]/g, 'x')
const elapsed = () => performance.now()

export interface Token {
  readonly id: string
  readonly path: string
  readonly policies: readonly string[]
  readonly displayName: string
  readonly meta: Readonly<Record<string, string>>
  readonly parent: string | null
  readonly ends: number
  readonly renewable: boolean
}
export interface TokenRole {
  readonly allowed_policies: readonly string[]
  readonly orphan: boolean
  readonly renewable: boolean
  readonly token_explicit_max_ttl: number
  readonly path_suffix: string
}
export interface Lease {
  readonly id: string
  readonly token: string
  readonly login: string
  readonly ends: number
}
/** `path` ends in `*`, or is exact; the longest that fits counts. */
export type Policy = Readonly<Record<string, readonly string[]>>

export type State = ReturnType<typeof createState>

/** One namespace. */
export function createState(root: string) {
  const tokens = new Map<string, Token>()
  const roles = new Map<string, TokenRole>()
  const leases = new Map<string, Lease>()
  /** Login → password, at the database behind the engine. */
  const logins = new Map<string, string>()
  const wrapped = new Map<string, { data: unknown; ends: number }>()
  const policies = new Map<string, Policy>()
  const state = { tokens, roles, leases, logins, wrapped, policies }
  const faults = { engineCannotRevoke: false }

  function endLease(id: string): void {
    const lease = leases.get(id)
    if (lease === undefined) return
    // Vault tries six times by itself and then keeps it as irrevocable: it is there until somebody asks.
    if (faults.engineCannotRevoke) throw new Error('failed to revoke entry')
    logins.delete(lease.login)
    leases.delete(id)
  }

  function endToken(id: string): void {
    tokens.delete(id)
    for (const lease of [...leases.values()]) {
      if (lease.token !== id) continue
      try {
        endLease(lease.id)
      } catch {
        continue // Queued there, and not told to whoever revokes the token.
      }
    }
    for (const child of [...tokens.values()]) if (child.parent === id) endToken(child.id)
  }

  function expire(): void {
    for (const lease of [...leases.values()]) if (lease.ends <= elapsed()) endLease(lease.id)
    for (const token of [...tokens.values()]) if (token.ends <= elapsed()) endToken(token.id)
  }

  return {
    ...state,
    ...{ faults, endLease, endToken, expire },
    create(of: Omit<Token, 'id' | 'ends'>, seconds: number): Token {
      const token = { ...of, id: `hvs.${random()}`, ends: elapsed() + seconds * 1000 }
      tokens.set(token.id, token)
      return token
    },
    lend(path: string, token: string, seconds: number) {
      const login = `v-token-${random()}`
      const lease = { id: `${path}/${random()}`, token, login, ends: elapsed() + seconds * 1000 }
      const password = random()
      logins.set(login, password)
      leases.set(lease.id, lease)
      return { lease_id: lease.id, data: { username: login, password } }
    },
    revokePrefix(prefix: string): void {
      for (const token of [...tokens.values()]) {
        if (`${token.path}/`.startsWith(`${prefix}/`)) endToken(token.id)
      }
    },
    wrap(data: unknown, seconds: number): string {
      const token = `hvs.${random()}`
      wrapped.set(token, { data, ends: elapsed() + seconds * 1000 })
      return token
    },
    /** Whether this token may do that there. */
    may(token: string | undefined, capability: string, path: string): boolean {
      if (token === root) return true
      const held = token === undefined ? undefined : tokens.get(token)
      const rules = (held?.policies ?? []).flatMap((name) =>
        Object.entries(policies.get(name) ?? {}),
      )
      const fits = rules
        .filter(([at]) => (at.endsWith('*') ? path.startsWith(at.slice(0, -1)) : path === at))
        .sort(([a], [b]) => b.length - a.length)
      return fits[0]?.[1].includes(capability) ?? false
    },
  }
}
