/** Ends sessions of a role before their time. STS cannot; a policy of the role that names them can. */
import { sha256 } from '../../../domain/digest.ts'
import type { At } from '../../connector.ts'
import { unless } from '../../deadline.ts'
import type { Exclusively } from '../../exclusively.ts'
import { type Opening, statusOf } from './clients.ts'
import { type Denial, denialsDocument, readDenials, withNew } from './denials.ts'
import { withIam } from './iam.ts'
import type { Settings } from './settings.ts'
import { together } from './together.ts'

export interface KillSwitchOptions extends Omit<Opening, 'at'> {
  readonly owner: string
  readonly exclusively: Exclusively
}

export interface KillSwitch {
  /**
   * Resolves when the denial stands in the role, with the second since when it does; 0: long ago. The
   * signal ends the wait; what was asked for is done.
   */
  deny(session: string, until: Date, at: At<Settings>, signal: AbortSignal): Promise<number>
}

interface Wanted extends Omit<Denial, 'since'> {
  readonly at: At<Settings>
}
type Deny = (wanted: Wanted) => Promise<readonly Denial[]>

/** By how much the target's clock may be behind ours: what ends there by itself has ended for us only then. */
export const CLOCKS_SECONDS = 60

/** Many that are ended at once share one write: a role has one policy of ours, and is written slowly. */
export function createKillSwitch(options: KillSwitchOptions): KillSwitch {
  const lines = new Map<string, Deny>()
  return {
    async deny(session, until, at, signal) {
      const line = lines.get(at.name) ?? together((...round) => denyAll(options, ...round))
      lines.set(at.name, line)
      const seconds = Math.ceil(until.getTime() / 1000) + CLOCKS_SECONDS
      const standing = await unless(signal, line({ session, until: seconds, at }))
      const denial = standing.find((one) => one.session === session)
      if (denial === undefined) throw new Error('the denial does not stand in the role')
      return denial.since
    },
  }
}

/** Reads, adds and writes back; whoever else writes to that role, at any replica, waits meanwhile. */
async function denyAll(
  { owner, exclusively, ...own }: KillSwitchOptions,
  wanted: readonly Wanted[],
  over: AbortSignal,
): Promise<readonly Denial[]> {
  // The key is opened for one lease that is being ended, and serves all of them.
  const at = wanted.at(-1)?.at
  if (at === undefined) return []
  const { role_arn: role, settle_seconds: settledSeconds } = at.settings
  const names = {
    RoleName: role.slice(role.lastIndexOf('/') + 1),
    PolicyName: policyName(owner),
  }
  return await withIam({ ...own, at }, over, (client, sdk) =>
    exclusively(`aws-sts ${role}`, async ({ signal, goOn }) => {
      over.throwIfAborted() // The next round has begun, and does all of this.
      const options = { abortSignal: AbortSignal.any([signal, over]) }
      const get = new sdk.GetRolePolicyCommand(names)
      const found = await client.send(get, options).catch(orNone)
      const standing = found === null ? [] : readDenials(found.PolicyDocument ?? '')
      const now = Math.floor(own.clock().getTime() / 1000)
      const denials = withNew(standing, wanted, { now, settledSeconds })
      if (denials === null) return standing
      const document = denialsDocument(denials)
      const put = new sdk.PutRolePolicyCommand({ ...names, PolicyDocument: document })
      goOn()
      await client.send(put, options)
      return denials
    }),
  )
}

/** Two brokers that guard one role do not overwrite each other. */
export const policyName = (owner: string) =>
  `procura-${sha256(owner)
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 12)}`

function orNone(error: unknown): null {
  if (statusOf(error) === 404) return null
  throw error
}
