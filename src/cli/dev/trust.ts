/** Whom a broker on this machine believes: the made-up people, one payments service, two targets. */
import type { Key } from '../../client/key.ts'
import { TrustFile, type Trust } from '../../trust.ts'
import { DEV_ISSUER, type DevIssuer } from './issuer.ts'
import type { Orders } from './orders.ts'

export const SERVICE = 'payments-api'
export const AUDIENCE = 'https://payments.example'
export const ORDERS_TARGET = 'orders-db'

export function devTrust(people: DevIssuer, orders: Orders, service: Key): Trust {
  const roles = { sponsor: ['sponsor'], approver: ['approver'] }
  const { host, port, database, admin, groups } = orders
  return TrustFile.parse({
    people: [
      {
        issuer: DEV_ISSUER,
        jwks: people.jwks,
        roles: { claim: 'roles', ...roles, auditor: ['auditor'], operator: ['operator'] },
      },
    ],
    services: [{ name: SERVICE, audience: AUDIENCE, jwk: service.publicJwk }],
    targets: {
      [ORDERS_TARGET]: {
        ...{ connector: 'postgres', host, port, database, sslmode: 'disable' },
        ...{ admin_user: admin.username, group_roles: groups },
      },
      payments: { connector: 'jwt', audience: AUDIENCE },
    },
  })
}
