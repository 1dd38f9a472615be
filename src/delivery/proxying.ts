/** One call through the broker, start to finish: checked, spent, sent with the secret, looked through. */
import { canonicalPath } from '../domain/http-path.ts'
import { BrokerError } from '../domain/problems.ts'
import { isItsSecrets, isOpenTo } from './connectors/http.ts'
import { Permissions, Settings, tokenUrlOf } from './connectors/http/settings.ts'
import { readAddress } from './proxy/address.ts'
import type { Live } from './proxy/live.ts'
import type { LiveLease } from './proxy/live-lease.ts'
import {
  type Answer,
  type Caller,
  type Calling,
  type Found,
  made,
  type To,
} from './proxy/making.ts'
import { sameCall } from './proxy/matching.ts'
import type { Places } from './proxy/places.ts'
import { fromSystem, pin, type Resolve } from './proxy/resolve.ts'
import { checkSecret, spendOnCall } from './proxy/spending.ts'
import { checkThere, type Declared, denied, settingsIn } from './proxy/target.ts'
import { isKept, type Tokens } from './proxy/tokens.ts'

export interface Proxy {
  /**
   * @throws BrokerError `credential_gone`, `target_denied`, `args_mismatch` and `unavailable`, after
   *   which nothing is spent, as it is not after `downstream_failed` with `authorization_over` or
   *   `no_secret`; `downstream_failed`, `downstream_timeout`
   */
  call(lease: LiveLease, by: Caller): Promise<Answer>
}

export interface ProxyOptions extends Calling {
  readonly live: Live
  readonly places: Places
  readonly tokens: Tokens
  readonly targets: Declared
  /** In place of the system's, for tests. */
  readonly resolve?: Resolve
  /** A monotonic clock, in milliseconds. */
  readonly elapsed?: () => number
}

export function createProxy(options: ProxyOptions): Proxy {
  const { live, places, tokens, resolve = fromSystem } = options
  const { elapsed = () => performance.now() } = options
  const settings = settingsIn(options.targets, 'http', Settings)

  return {
    async call(lease, { instance, called, act }) {
      // What is it for?
      const since = elapsed()
      const found = foundFor(settings, lease)

      // Would the target be open to such a call at all, and is it where it may be?
      const path = canonicalPath(called.path)
      if (path === null || !isOpenTo(found.settings, { method: called.method, path }))
        throw denied()
      if (isItsSecrets(found.settings, found.permissions)) throw denied()
      const base = new URL(found.settings.base_url)
      const pinned = await pin(base.hostname, found.settings.private_addresses, resolve)
      const tokenEndpoint = await tokenEndpointOf(found.settings, resolve)

      // Is it the very call that was decided? What is sent is written from the decision.
      const same = sameCall({ ...called, path }, found.permissions)
      if (same === null) throw new BrokerError('args_mismatch')

      // Where nobody gets in until an operator has acted, or a key is back, nothing is spent.
      await tokens.check(found.settings.inject, found.intent)
      await checkSecret(options.secrets, found.intent)

      // Is it its turn? Nobody who left meanwhile spends anything.
      checkThere(called)
      const turn = await places.enter(found.intent, called.left)

      // Spend it, once and on record, before anything is sent. From here on it was used.
      const leave = once(turn.end)
      try {
        checkThere(called)
        await spendOnCall(options, instance, found.intent.lease, act)
        const leftMs = found.leftMs - (elapsed() - since)
        return await made(
          { options, live, leave, act, called, ...found, leftMs },
          { base, pinned, tokenEndpoint, body: same.body },
        )
      } catch (error) {
        leave()
        throw error
      }
    },
  }
}

/** @throws BrokerError `target_denied` where the target is not that any more */
function foundFor(targets: ReadonlyMap<string, Settings>, { intent, leftMs }: LiveLease): Found {
  const settings = targets.get(intent.target)
  const permissions = Permissions.safeParse(intent.permissions)
  if (settings === undefined || !permissions.success) throw denied()
  return { intent, settings, permissions: permissions.data, leftMs }
}

/** Found under the same rules as the target itself; where its token is kept, once one is needed. */
async function tokenEndpointOf(
  { inject, private_addresses, ca }: Settings,
  resolve: Resolve,
): Promise<To['tokenEndpoint']> {
  const address = tokenUrlOf(inject)
  if (address === null) return null
  const url = new URL(address)
  const find = async () => ({
    url,
    ca,
    pinned: await pin(url.hostname, private_addresses, resolve),
  })
  // To look at an address that is no name takes no lookup.
  if (isKept(inject) && readAddress(url.hostname) === null) return find
  const found = await find()
  return () => Promise.resolve(found)
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    work()
  }
}
