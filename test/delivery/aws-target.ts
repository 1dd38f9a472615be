/** Targets of AWS, intents for them, and an endpoint's name to ask. */
import { createConnectors } from '../../src/delivery/connectors.ts'
import { createTargets, type Target } from '../../src/delivery/targets.ts'
import type { Clock } from '../../src/domain/clock.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { Secret } from '../../src/domain/secret.ts'
import { anIntent, aSigner, HOUSE } from './bench.ts'

export const OWNER = 'https://broker.example'

export function awsTarget(
  settings: object,
  keys: string,
  clock: Clock = HOUSE.clock,
  exclusively = HOUSE.exclusively,
): Target {
  const secrets = secretsOf(keys)
  const kinds = createConnectors({
    ...{ credentials: aSigner(), secrets, owner: OWNER, clock, exclusively },
  })
  const target = createTargets(kinds, { reports: { connector: 'aws-sts', ...settings } })
  const bound = target.get('reports')
  if (bound === undefined) throw new Error('no target')
  return bound
}

export const secretsOf = (stored: string) => ({
  use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(new Secret(stored)),
})

/** A role at an endpoint that is only asked for sessions. */
export const ROLE = 'arn:aws:iam::123456789012:role/reports'
const STORED = '{"access_key_id":"AKIAOFTHEBROKER00","secret_access_key":"canary-admin"}'
export const targetAt = (endpoint: string, more: object = {}): Target =>
  awsTarget({ role_arn: ROLE, region: 'eu-west-1', allow_http: true, endpoint, ...more }, STORED)

/** To read what lies under `reports/`, a value and a slash. */
export const toRead = (value: string, then = '/*') => ({
  statements: [
    { actions: ['s3:GetObject'], resources: [{ arn: 'arn:aws:s3:::reports/', value, then }] },
  ],
})

export const intentFor = (value: string, of: Partial<Intent> = {}): Intent =>
  anIntent({
    ...{ target: 'reports', connector: 'aws-sts', senderConstraint: 'none' },
    permissions: toRead(value),
    ...of,
  })
