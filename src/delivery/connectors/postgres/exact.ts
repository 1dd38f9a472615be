/** One approved statement on a PostgreSQL, which the broker runs itself: nothing but that statement can run. */
import { z } from 'zod'
import { type Connector, NoEffect } from '../../connector.ts'
import { postgres, type PostgresOptions } from '../postgres.ts'
import { Permissions, Settings } from './settings.ts'

export const ExactSettings = Settings.extend({
  /** Of all that the server says to a statement. An answer is whole or there is none. */
  answer_bytes_max: z.int().min(1024).max(67_108_864).default(4_194_304),
})
export type ExactSettings = z.infer<typeof ExactSettings>

export const ExactPermissions = Permissions.extend({
  /** Which argument is the statement. */
  statement: z.string().min(1).max(64),
})
export type ExactPermissions = z.infer<typeof ExactPermissions>

/**
 * Nothing is made before it is called: what is given is an address of the broker, which makes a login
 * for the time of one statement. It has the name of its lease, so that whatever a crash leaves of it
 * is found by that.
 *
 * @param options `owner` is the broker's own origin, which agents call it at
 */
export function postgresExact(
  options: PostgresOptions,
): Connector<ExactSettings, ExactPermissions> {
  const logins = postgres(options)
  return {
    name: 'postgres-exact',
    model: 'proxy',
    revocation: 'immediate',
    spending: 'enforced',
    senderConstraint: 'proxy',
    isAtTarget: true,
    ttlSecondsMin: 1,
    settings: ExactSettings,
    permissions: ExactPermissions,
    audienceOf: () => null,
    issue: ({ lease, expiresAt }, { settings }, { roles }) =>
      new Promise((resolve) => {
        if (roles.some((role) => !settings.group_roles.includes(role))) {
          throw new NoEffect('the grant names a role that is not configured for the target')
        }
        const base_url = `${options.owner}/v1/proxy/${lease}/`
        resolve({ kind: 'proxy', credential: { base_url }, expiresAt })
      }),
    revoke: (name, at, signal) => logins.revoke(name, at, signal),
    listOwn: (at, signal) => logins.listOwn(at, signal),
  }
}
