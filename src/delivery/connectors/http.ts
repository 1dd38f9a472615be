/** Any HTTP API, called through the broker: the agent never holds what opens it. */
import { matches } from '../../domain/http-path.ts'
import { type Connector, NoEffect } from '../connector.ts'
import { Permissions, Settings } from './http/settings.ts'

/**
 * Nothing is made outside: what is given is an address of the broker, which makes one call for its
 * lease and injects the secret as it goes out.
 *
 * @param issuer the broker's own origin, which agents call it at
 */
export function http(issuer: string): Connector<Settings, Permissions> {
  return {
    name: 'http',
    model: 'proxy',
    revocation: 'immediate',
    spending: 'enforced',
    senderConstraint: 'proxy',
    isAtTarget: false,
    ttlSecondsMin: 1,
    settings: Settings,
    permissions: Permissions,
    audienceOf: () => null,
    issue: ({ lease, expiresAt }, { settings }, permissions) =>
      new Promise((resolve) => {
        if (!isOpenTo(settings, permissions)) {
          throw new NoEffect('the grant is for a call that the target is not open to')
        }
        if (isItsSecrets(settings, permissions)) {
          throw new NoEffect('the grant names the parameter that the secret is')
        }
        const base_url = `${issuer}/v1/proxy/${lease}/`
        resolve({ kind: 'proxy', credential: { base_url }, expiresAt })
      }),
    revoke: () => Promise.resolve({ found: false }),
    listOwn: () => Promise.resolve([]),
  }
}

/** Whether this secret may be used for it, whatever a tool declares. */
export function isOpenTo(
  { allow }: Pick<Settings, 'allow'>,
  { method, path }: { readonly method: string; readonly path: string },
): boolean {
  return allow.some(
    ({ methods, paths }) =>
      methods.some((name) => name === method) && paths.some((template) => matches(template, path)),
  )
}

/** Whether a parameter of the call has the name that the secret goes in under, to whatever reader. */
export function isItsSecrets(
  { inject }: Pick<Settings, 'inject'>,
  { query }: Pick<Permissions, 'query'>,
): boolean {
  if (typeof inject !== 'object' || !('query' in inject)) return false
  const its = inject.query.toLowerCase()
  return Object.keys(query).some((name) => name.toLowerCase() === its)
}
