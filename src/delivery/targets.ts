/** The targets as configured, each bound to its connector: one shape, whatever is behind it. */
import type { z } from 'zod'
import type { Intent, Issued } from '../domain/lease.ts'
import { createCircuit } from './circuit.ts'
import { type Connector, NoEffect, type Revoked, Silent } from './connector.ts'
import {
  checkLimits,
  endingAt,
  type Limits,
  makingAt,
  type Together,
  togetherOf,
} from './target-limits.ts'
import type { For, Turns } from './turns.ts'

/** A connector at one target. */
export interface Target {
  readonly name: string
  readonly connector: Pick<
    Connector<never, never>,
    | 'name'
    | 'model'
    | 'revocation'
    | 'spending'
    | 'senderConstraint'
    | 'ttlSecondsMin'
    | 'isAtTarget'
  >
  readonly audience: string | null
  /** How much of it may be ended at once; as much as one likes where it is left out. */
  readonly endsAtOnce?: number
  /** @throws NoEffect also for permissions that are not this connector's, and where there is no room */
  issue(intent: Intent, signal: AbortSignal): Promise<Issued>
  revoke(downstreamName: string, signal: AbortSignal, endsAt?: Date): Promise<Revoked>
  listOwn(signal: AbortSignal): Promise<string[]>
}

export type Targets = ReadonlyMap<string, Target>

/** A connector, waiting for the settings of a target. */
export interface Kind {
  readonly name: string
  at(name: string, settings: unknown): Target
  /** @throws where targets of this kind, each with its settings, may not be beside each other */
  beside?(all: ReadonlyMap<string, object>): void
}

/**
 * Binds what the trust file declares, so that a wrong setting is found at the start.
 *
 * @throws when a target names no connector of ours, its settings are not that connector's, it may take
 * up too much of this process, or two do not go together
 */
export function createTargets(
  kinds: readonly Kind[],
  declared: Readonly<
    Record<string, { readonly connector: string; readonly limits?: Limits | undefined }>
  >,
  together: Together = togetherOf(),
): Targets {
  const given = new Map<Kind, Map<string, object>>()
  const bound = Object.entries(declared).map(([name, { connector, limits, ...settings }]) => {
    const kind = kinds.find((one) => one.name === connector)
    if (kind === undefined) throw new Error(`The target ${name} names no connector: ${connector}`)
    given.set(kind, (given.get(kind) ?? new Map<string, object>()).set(name, settings))
    checkLimits(name, limits, together)
    return [name, spared(kind.at(name, settings), limits, together)] as const
  })
  for (const [kind, all] of given) kind.beside?.(all)
  return new Map(bound)
}

/**
 * The same target, asked for no more at once than it is good for; and left alone for a while when it
 * has hung: nothing is made, and nothing confirmed.
 */
function spared(target: Target, limits: Limits | undefined, together: Together): Target {
  const circuit = createCircuit()
  const silent = 'the target has not answered for a while'
  const { model, isAtTarget } = target.connector
  // What is called for agents takes its turns as it is called; where nobody is asked nobody has to wait.
  const isMadeThere = model === 'mint' && (isAtTarget || limits !== undefined)
  const making = isMadeThere ? makingAt(target.name, together, limits) : null
  const ending = isAtTarget ? endingAt(together, limits) : null
  return {
    ...target,
    ...(limits?.concurrent !== undefined && { endsAtOnce: limits.concurrent }),
    issue: (intent, signal) =>
      inTurn(making, intent, signal, () =>
        circuit.run(
          () => target.issue(intent, signal),
          () => new NoEffect(silent, { isTimeout: true }),
        ),
      ),
    revoke: (downstreamName, signal, endsAt) =>
      inTurn(ending, { sponsor: '', lease: downstreamName }, signal, () =>
        circuit.run(
          () => target.revoke(downstreamName, signal, endsAt),
          () => new Silent(silent),
        ),
      ),
    listOwn: (signal) =>
      circuit.run(
        () => target.listOwn(signal),
        () => new Error(silent),
      ),
  }
}

async function inTurn<T>(
  turns: Turns | null,
  of: For,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const turn = await turns?.take(of, signal)
  try {
    return await work()
  } finally {
    turn?.end()
  }
}

export function kindOf<Settings, Permissions>(connector: Connector<Settings, Permissions>): Kind {
  return {
    name: connector.name,
    beside(all) {
      const read = [...all].map(
        ([name, given]) => [name, settingsOf(connector.settings, name, given)] as const,
      )
      const clash = connector.clashOf?.(new Map(read)) ?? null
      if (clash !== null) throw new Error(clash)
    },
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
