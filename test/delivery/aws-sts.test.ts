import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NoEffect, NotYet } from '../../src/delivery/connector.ts'
import { within } from '../../src/delivery/deadline.ts'
import { brakeRole } from '../../src/delivery/connectors/aws-sts/brake.ts'
import { Settings } from '../../src/delivery/connectors/aws-sts/settings.ts'
import type { Target } from '../../src/delivery/targets.ts'
import type { Intent, Issued } from '../../src/domain/lease.ts'
import { keepsItsPromises } from '../contract/connector.ts'
import { type CephRgw, startCephRgw, whyNoCephRgw } from '../parts/ceph-rgw.ts'
import { neverWider } from './aws-narrowing.ts'
import { type AwsTarget, anAwsTarget, fill, get, list, storedKeys, write } from './aws-rgw.ts'
import { intentFor, secretsOf, toRead } from './aws-target.ts'
import { aSigner, now, until } from './bench.ts'

const why = whyNoCephRgw === null ? '' : `, not run: ${whyNoCephRgw}`

let rgw: CephRgw
let at: AwsTarget

const reports = (of: Partial<Intent> = {}) => intentFor('7', of)
const issue = (intent: Intent, target: Target = at.target()) =>
  within(6000, (signal) => target.issue(intent, signal))
const revoke = ({ downstreamName, expiresAt }: Intent, target: Target = at.target()) =>
  within(5000, (signal) => target.revoke(downstreamName, signal, expiresAt))

describe.skipIf(why !== '')(`the aws-sts connector at a Ceph RADOS Gateway${why}`, () => {
  beforeAll(async () => {
    rgw = await startCephRgw()
    at = await anAwsTarget(rgw)
    await fill(at.owner, ['7/a', '77/a', '7', 'other/a'])
  })
  afterAll(async () => {
    await rgw.end()
  })

  describe('keeps its promises', () => {
    const minted = new Map<string, Issued>()
    keepsItsPromises(() => {
      const target = at.target()
      const remembering: Target = {
        ...target,
        async issue(intent, signal) {
          const issued = await target.issue(intent, signal)
          minted.set(intent.downstreamName, issued)
          return issued
        },
      }
      const works = async (issued: Issued) => (await get(at.session(issued), '7/a')) === 'ok'
      return Promise.resolve({
        ...{ target: remembering, intent: reports, works, isUnsure: true },
        // A session has no name to ask for; whether it opens anything is what counts.
        exists: async (name) => {
          const issued = minted.get(name)
          return issued !== undefined && (await works(issued))
        },
      })
    })
  })

  describe('a minted session, seen from the target', () => {
    it('reads what it was given, and nothing beside, above or otherwise', async () => {
      const session = at.session(await issue(reports()))
      expect(await get(session, '7/a')).toBe('ok')
      for (const key of ['77/a', '7', 'other/a']) expect(await get(session, key), key).toBe(403)
      expect(await write(session, '7/a')).toBe(403)
      expect(await list(session)).toBe(403)
    })

    it("[DEL-04] is never wider than its argument: a neighbour's prefix is refused", async () => {
      const asked = (value: string) => issue(reports({ permissions: toRead(value) }))
      await neverWider(at, asked, 25)
    }, 60_000)

    it('[DEL-06] can do nothing from the second on at which its lease ends, though STS gave it more', async () => {
      const target = at.target({ settings: { ...at.settings, min_session_seconds: 900 } })
      const expiresAt = new Date(now().getTime() + 3000)
      const issued = await issue(reports({ expiresAt, ttlSeconds: 3 }), target)
      const session = at.session(issued)
      expect(await get(session, '7/a')).toBe('ok')
      expect(issued.expiresAt.getTime()).toBeLessThanOrEqual(expiresAt.getTime())
      await until(async () => (await get(session, '7/a')) === 403)
      expect(now().getTime()).toBeGreaterThanOrEqual(issued.expiresAt.getTime())
      expect(now().getTime()).toBeLessThan(issued.expiresAt.getTime() + 1000)
    })

    it('ends with the session itself, where the endpoint gives short ones', async () => {
      const expiresAt = new Date(now().getTime() + 60_000)
      const issued = await issue(reports({ expiresAt, ttlSeconds: 3 }))
      const session = at.session(issued)
      expect(issued.expiresAt.getTime()).toBeLessThan(now().getTime() + 4000)
      expect(await get(session, '7/a')).toBe('ok')
      await until(async () => (await get(session, '7/a')) === 403)
    })
  })

  describe('the end of a session', () => {
    it('[REV-01] comes when its lease is revoked, and to no other session of the role', async () => {
      const [one, other] = [reports(), reports()]
      const [first, second] = [at.session(await issue(one)), at.session(await issue(other))]
      await revoke(one)
      expect(await get(first, '7/a')).toBe(403)
      expect(await get(second, '7/a')).toBe('ok')
      await revoke(other)
      expect(await get(second, '7/a')).toBe(403)
    })

    it('comes to many at once, in one write or a few', async () => {
      const intents = Array.from({ length: 20 }, () => reports())
      const target = at.target()
      const sessions = await Promise.all(intents.map((intent) => issue(intent, target)))
      await Promise.all(intents.map((intent) => revoke(intent, target)))
      for (const issued of sessions) expect(await get(at.session(issued), '7/a')).toBe(403)
      const denials = await at.denials()
      for (const { downstreamName } of intents) expect(denials).toContain(`*:${downstreamName}`)
    })

    it('also comes to one that is made after its name was revoked', async () => {
      const late = reports()
      await revoke(late)
      expect(await get(at.session(await issue(late)), '7/a')).toBe(403)
    })

    it('is not said to have come before the role has had time to be obeyed', async () => {
      let time = now().getTime()
      const settings = { ...at.settings, settle_seconds: 10 }
      const target = at.target({ settings, clock: () => new Date(time) })
      const intent = reports({ expiresAt: new Date(time + 600_000) })
      const error = await revoke(intent, target).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(NotYet)
      expect((error as NotYet).waitMs).toBeGreaterThan(8000)
      time += 10_000
      expect(await revoke(intent, target)).toEqual({ found: true })
    })

    it('is not said to have come early where the role has no kill switch', async () => {
      let time = now().getTime()
      const settings = { ...at.settings, kill_switch: 'none' }
      const target = at.target({ settings, clock: () => new Date(time) })
      expect(target.connector.revocation).toBe('expiry')
      expect(at.target().connector.revocation).toBe('immediate')
      const intent = reports({ expiresAt: new Date(time + 60_000) })
      await expect(revoke(intent, target)).rejects.toThrow(NotYet)
      time += 119_000
      await expect(revoke(intent, target)).rejects.toThrow(NotYet)
      time += 1000
      expect(await revoke(intent, target)).toEqual({ found: true })
    })

    it('leaves no denial behind for good, and writes none for what ended by itself', async () => {
      const before = reports({ expiresAt: new Date(now().getTime() + 5000) })
      await revoke(before)
      expect(await at.denials()).toContain(before.downstreamName)
      const later = () => new Date(now().getTime() + 600_000)
      const target = at.target({ clock: later })
      const after = reports({ expiresAt: new Date(later().getTime() + 60_000) })
      await revoke(after, target)
      await revoke(before, target)
      const soon = reports({ expiresAt: new Date(later().getTime() + 1000) })
      await expect(revoke(soon, target)).rejects.toThrow(NotYet)
      expect(await at.denials()).toContain(after.downstreamName)
      for (const { downstreamName } of [before, soon]) {
        expect(await at.denials()).not.toContain(downstreamName)
      }
    })

    it('does not overwrite a policy that is not ours, and is not confirmed', async () => {
      const own = await anAwsTarget(rgw)
      const theirs = '{"Version":"2012-10-17","Statement":[]}'.replace('[]', DENY_S3)
      await own.putPolicy(own.policyName, theirs)
      await expect(revoke(reports(), own.target())).rejects.toThrow('not ours')
      expect(await own.denials()).toBe(theirs)
    })
  })

  it('[REV-01] ends every older session of the role when the brake is pulled, and no newer one', async () => {
    const own = await anAwsTarget(rgw)
    const old = [await issue(reports(), own.target()), await issue(reports(), own.target())]
    const { connector: _, ...settings } = own.settings
    const name = 'reports'
    const at = { name, settings: Settings.parse(settings), lease: null }
    const secrets = secretsOf(storedKeys(rgw.admin))
    const before = await brakeRole({ secrets, at, identity: aSigner(), clock: now })
    for (const issued of old) expect(await get(own.session(issued), '7/a')).toBe(403)
    await until(() => Promise.resolve(now() > before))
    expect(await get(own.session(await issue(reports(), own.target())), '7/a')).toBe('ok')
  })

  describe('nothing is made, and that is said, when', () => {
    it.each<[string, () => Target]>([
      ['the role does not exist', () => at.target({ settings: withRole('nobody') })],
      ['the trust policy does not name us', () => at.target({ keys: storedKeys(rgw.stranger) })],
      ['the key is wrong', () => at.target({ keys: storedKeys({ ...rgw.admin, ...WRONG }) })],
      ['what is stored is no key', () => at.target({ keys: 'a password' })],
    ])('%s', async (_what, target) => {
      const error = await issue(reports(), target()).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(NoEffect)
      expect(String((error as NoEffect).cause)).not.toContain('wrong')
    })

    it('the gateway is down; and it is confirmed dead once that is back', async () => {
      const intent = reports()
      const session = at.session(await issue(intent))
      await rgw.stop()
      await expect(issue(reports())).rejects.toThrow(NoEffect)
      await expect(revoke(intent)).rejects.toThrow(/^The target: [A-Z]/)
      await rgw.start()
      await revoke(intent)
      expect(await get(session, '7/a')).toBe(403)
    })
  })
})

const DENY_S3 = '[{"Effect":"Deny","Action":"s3:DeleteBucket","Resource":"*"}]'
const WRONG = { secretAccessKey: 'wrong-but-as-long-as-a-key-has-to-be' }
const withRole = (role: string) => ({ ...at.settings, role_arn: `arn:aws:iam:::role/${role}` })
