/** Which targets a way of calling is for, and what is said to a call that it is not for. */
import type { z } from 'zod'
import type { ConnectorName } from '../../domain/lease.ts'
import { BrokerError } from '../../domain/problems.ts'
import type { Limits } from '../target-limits.ts'

/** As the trust file declares them, of whatever connector. */
export type Declared = Readonly<
  Record<string, { readonly connector: string; readonly limits?: Limits | undefined }>
>

/** Those of one connector, by name. */
export function settingsIn<Settings>(
  targets: Declared,
  connector: ConnectorName,
  schema: z.ZodType<Settings>,
): ReadonlyMap<string, Settings> {
  const its = Object.entries(targets).filter(([, target]) => target.connector === connector)
  return new Map(
    its.map(([name, { connector: _, limits: __, ...settings }]) => [name, schema.parse(settings)]),
  )
}

export const denied = () => new BrokerError('target_denied', { shown: { reason: 'call' } })

/** @throws BrokerError `unavailable` where nobody waits for the answer any more; nobody is told */
export function checkThere({ left }: { readonly left: AbortSignal }): void {
  if (left.aborted) throw new BrokerError('unavailable', { message: 'the caller has left' })
}
