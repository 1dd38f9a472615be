/** One call through the broker, start to finish: checked, spent, sent with the secret, looked through. */
import { canonicalPath } from '../domain/http-path.ts'
import { BrokerError } from '../domain/problems.ts'
import { isItsSecrets, isOpenTo } from './connectors/http.ts'
import { Permissions, Settings, tokenUrlOf } from './connectors/http/settings.ts'
import type { TokenEndpoint } from './proxy/client-credentials.ts'
import type { Live } from './proxy/live.ts'
import type { LiveLease } from './proxy/live-lease.ts'
import { type Answer, type Caller, type Calling, type Found, made } from './proxy/making.ts'
import { sameCall } from './proxy/matching.ts'
import type { Places } from './proxy/places.ts'
import { fromSystem, pin, type Resolve } from './proxy/resolve.ts'
import { spendOnCall } from './proxy/spending.ts'
import { checkThere, type Declared, denied, settingsIn } from './proxy/target.ts'

export interface Proxy {
  /**
   * @throws BrokerError `credential_gone`, `target_denied`, `args_mismatch` and `unavailable`, after
   *   which nothing is spent; `downstream_failed`, `downstream_timeout`
   */
  call(lease: LiveLease, by: Caller): Promise<Answer>
}

export interface ProxyOptions extends Calling {
  readonly live: Live
  readonly places: Places
  readonly targets: Declared
  /** In place of the system's, for tests. */
  readonly resolve?: Resolve
}

export function createProxy(options: ProxyOptions): Proxy {
  const { live, places, resolve = fromSystem } = options
  const settings = settingsIn(options.targets, 'http', Settings)

  return {
    async call(lease, { instance, called, act }) {
      // What is it for?
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

      // Spend it, once and on record, before anything is sent. From here on it was used.
      checkThere(called)
      const leave = places.enter(found.intent, found.settings.concurrency)
      try {
        await spendOnCall(options, instance, found.intent.lease, act)
      } catch (error) {
        leave()
        throw error
      }
      return await made(
        { options, live, leave, act, called, ...found },
        { base, pinned, tokenEndpoint, body: same.body },
      )
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

/** Found under the same rules as the target itself. */
async function tokenEndpointOf(
  { inject, private_addresses, ca }: Settings,
  resolve: Resolve,
): Promise<TokenEndpoint | null> {
  const address = tokenUrlOf(inject)
  if (address === null) return null
  const url = new URL(address)
  return { url, ca, pinned: await pin(url.hostname, private_addresses, resolve) }
}
