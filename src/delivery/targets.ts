/** The targets as configured, each bound to its connector: one shape, whatever is behind it. */
import type { z } from 'zod'
import type { Intent, Issued } from '../domain/lease.ts'
import { createCircuit } from './circuit.ts'
import { type Connector, NoEffect, type Revoked, Silent } from './connector.ts'

/** A connector at one target. */
export interface Target {
  readonly name: string
  readonly connector: Pick<
    Connector<never, never>,
    'name' | 'revocation' | 'spending' | 'senderConstraint' | 'ttlSecondsMin' | 'isAtTarget'
  >
  readonly audience: string | null
  /** @throws NoEffect also for permissions that are not this connector's */
  issue(intent: Intent, signal: AbortSignal): Promise<Issued>
  revoke(downstreamName: string, signal: AbortSignal, endsAt?: Date): Promise<Revoked>
  listOwn(signal: AbortSignal): Promise<string[]>
}

export type Targets = ReadonlyMap<string, Target>

/** A connector, waiting for the settings of a target. */
export interface Kind {
  readonly name: string
  at(name: string, settings: unknown): Target
}

/**
 * Binds what the trust file declares, so that a wrong setting is found at the start.
 *
 * @throws when a target names no connector of ours, or its settings are not that connector's
 */
export function createTargets(
  kinds: readonly Kind[],
  declared: Readonly<Record<string, { readonly connector: string }>>,
): Targets {
  const bound = Object.entries(declared).map(([name, { connector, ...settings }]) => {
    const kind = kinds.find((one) => one.name === connector)
    if (kind === undefined) throw new Error(`The target ${name} names no connector: ${connector}`)
    return [name, spared(kind.at(name, settings))] as const
  })
  return new Map(bound)
}

/** The same target, left alone for a while when it has hung: nothing is made, and nothing confirmed. */
function spared(target: Target): Target {
  const circuit = createCircuit()
  const silent = 'the target has not answered for a while'
  return {
    ...target,
    issue: (intent, signal) =>
      circuit.run(
        () => target.issue(intent, signal),
        () => new NoEffect(silent, { isTimeout: true }),
      ),
    revoke: (downstreamName, signal, endsAt) =>
      circuit.run(
        () => target.revoke(downstreamName, signal, endsAt),
        () => new Silent(silent),
      ),
    listOwn: (signal) =>
      circuit.run(
        () => target.listOwn(signal),
        () => new Error(silent),
      ),
  }
}

export function kindOf<Settings, Permissions>(connector: Connector<Settings, Permissions>): Kind {
  return {
    name: connector.name,
    at(name, given) {
      const settings = settingsOf(connector.settings, name, given)
      const forLease = (lease: string | null) => ({ name, settings, lease })
      const revocation = connector.revocationAt?.(settings) ?? connector.revocation
      return {
        name,
        connector: { ...connector, revocation },
        audience: connector.audienceOf(settings),
        async issue(intent, signal) {
          const permissions = connector.permissions.safeParse(intent.permissions)
          if (!permissions.success) throw new NoEffect('not the permissions of this connector')
          const at = forLease(intent.downstreamName)
          return await connector.issue(intent, at, permissions.data, signal)
        },
        revoke: (downstreamName, signal, endsAt) =>
          connector.revoke(downstreamName, forLease(downstreamName), signal, endsAt),
        listOwn: (signal) => connector.listOwn(forLease(null), signal),
      }
    },
  }
}

function settingsOf<Settings>(type: z.ZodType<Settings>, name: string, given: unknown): Settings {
  const read = type.safeParse(given)
  if (read.success) return read.data
  const faults = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new Error(`The target ${name} has wrong settings: ${faults.join('; ')}`)
}
