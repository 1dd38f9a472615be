import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { brakeRole } from '../../src/delivery/connectors/aws-sts/brake.ts'
import { Settings } from '../../src/delivery/connectors/aws-sts/settings.ts'
import { identityToken } from '../../src/delivery/connectors/aws-sts/web-identity.ts'
import { NoEffect, NotYet } from '../../src/delivery/connector.ts'
import { within } from '../../src/delivery/deadline.ts'
import type { Target } from '../../src/delivery/targets.ts'
import { type Signer, signToken } from '../../src/domain/jws.ts'
import type { Intent, Issued } from '../../src/domain/lease.ts'
import { keepsItsPromises } from '../contract/connector.ts'
import { type CephRgw, startCephRgw, whyNoCephRgw } from '../parts/ceph-rgw.ts'
import { aBelievingRole, type Believed } from './aws-believed.ts'
import { aPublishedIssuer, NOTHING_STORED, type PublishedIssuer } from './aws-issuer.ts'
import { neverWider } from './aws-narrowing.ts'
import { fill, get, list, write } from './aws-rgw.ts'
import { intentFor, toRead } from './aws-target.ts'
import { aSigner, now, until } from './bench.ts'

const why = whyNoCephRgw === null ? '' : `, not run: ${whyNoCephRgw}`

let rgw: CephRgw
let published: PublishedIssuer
let at: Believed

const reports = (of: Partial<Intent> = {}) => intentFor('7', of)
const issue = (intent: Intent, target: Target = at.target()) =>
  within(6000, (signal) => target.issue(intent, signal))
const revoke = ({ downstreamName, expiresAt }: Intent, target: Target = at.target()) =>
  within(5000, (signal) => target.revoke(downstreamName, signal, expiresAt))

describe.skipIf(why !== '')(`aws-sts without a key of AWS, at a Ceph RADOS Gateway${why}`, () => {
  beforeAll(async () => {
    published = await aPublishedIssuer()
    rgw = await startCephRgw()
    at = await aBelievingRole(rgw, published)
    await fill(at.owner, ['7/a', '77/a'])
  })
  afterAll(async () => {
    await published.close()
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
        exists: async (name) => {
          const issued = minted.get(name)
          return issued !== undefined && (await works(issued))
        },
      })
    })
  })

  it('makes a session that reads what it was given, and nothing beside or otherwise', async () => {
    const session = at.session(await issue(reports()))
    expect(await get(session, '7/a')).toBe('ok')
    expect(await get(session, '77/a')).toBe(403)
    expect(await write(session, '7/a')).toBe(403)
    expect(await list(session)).toBe(403)
  })

  it("[DEL-04] is never wider than its argument: a neighbour's prefix is refused", async () => {
    await neverWider(at, (value) => issue(reports({ permissions: toRead(value) })), 8)
  })

  it('[DEL-06] makes one that can do nothing from the second on at which its lease ends', async () => {
    const expiresAt = new Date(now().getTime() + 3000)
    const session = at.session(
      await issue(reports({ expiresAt, ttlSeconds: 3 }), at.target({ min_session_seconds: 900 })),
    )
    expect(await get(session, '7/a')).toBe('ok')
    await until(async () => (await get(session, '7/a')) === 403)
    expect(now().getTime()).toBeLessThan(expiresAt.getTime() + 1000)
  })

  it('tells the role for what it is: a rule that asks for the purpose is obeyed', async () => {
    const own = await aBelievingRole(rgw, published)
    const purpose = { 'aws:PrincipalTag/procura:purpose': 'reporting' }
    const denying = { Effect: 'Deny', Action: 's3:*', Resource: '*' }
    const statement = { ...denying, Condition: { StringNotEquals: purpose } }
    await own.putPolicy(
      'purpose',
      JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    )
    const made = async (of: Partial<Intent>) => own.session(await issue(reports(of), own.target()))
    expect(await get(await made({ purpose: 'reporting' }), '7/a')).toBe('ok')
    expect(await get(await made({ purpose: 'support.refunds' }), '7/a')).toBe(403)
  })

  it('[REV-01] ends one early by the role that may, and no other of that role', async () => {
    const [one, other] = [reports(), reports()]
    const [first, second] = [at.session(await issue(one)), at.session(await issue(other))]
    await revoke(one)
    expect(await get(first, '7/a')).toBe(403)
    expect(await get(second, '7/a')).toBe('ok')
  })

  it('says that one ends by its time, where there is no role that ends it', async () => {
    const target = at.target({ kill_switch: 'none', revoker_role_arn: undefined })
    expect(target.connector.revocation).toBe('expiry')
    expect(at.target().connector.revocation).toBe('immediate')
    await expect(revoke(reports(), target)).rejects.toThrow(NotYet)
  })

  it('[REV-01] ends all older ones when the brake is pulled, and no newer one', async () => {
    const own = await aBelievingRole(rgw, published)
    const old = own.session(await issue(reports(), own.target()))
    const opening = { secrets: NOTHING_STORED, identity: published.signer, clock: now }
    const where = { name: 'reports', lease: null, settings: Settings.parse(own.settings) }
    const before = await brakeRole({ ...opening, at: where })
    expect(await get(old, '7/a')).toBe(403)
    await until(() => Promise.resolve(now() > before))
    expect(await get(own.session(await issue(reports(), own.target())), '7/a')).toBe('ok')
  })

  describe('the gateway believes', () => {
    const [SESSION, REVOKER, AWS] = [
      'procura:reports',
      'procura:reports:revoker',
      'sts.amazonaws.com',
    ]
    const said = async (of: object = {}, identity: Signer = published.signer, clock = now) =>
      (await identityToken({ identity, clock }, { sub: SESSION, aud: AWS, ...of })).reveal()
    const earlier = () => new Date(now().getTime() - 3_600_000)

    it('what is said for this role, and for the other what is said for that', async () => {
      expect(await at.shown(await said())).toBe('ok')
      expect(await at.shown(await said({ sub: REVOKER }), at.revoker)).toBe('ok')
    })

    it.each<[string, () => Promise<string>]>([
      ['said for another target', () => said({ sub: 'procura:others' })],
      ['said for the role that ends sessions', () => said({ sub: REVOKER })],
      ['said to somebody else', () => said({ aud: 'https://payments.example' })],
      ['said an hour ago', () => said({}, published.signer, earlier)],
      ['said by somebody else in our name', () => said({}, { ...aSigner(), issuer: issuer() })],
      ['said by an issuer that it does not know', () => said({}, aSigner())],
      // Under the same key, with whatever claims: it is of another issuer.
      ['a minted credential with all that is demanded', () => minted({ sub: SESSION, aud: AWS })],
    ])('nothing that was %s', async (_what, token) => {
      expect(await at.shown(await token())).toBe(403)
    })

    it('nothing that makes sessions where they are ended', async () => {
      expect(await at.shown(await said(), at.revoker)).toBe(403)
    })

    const issuer = () => published.signer.issuer
    const minted = async (claims: Record<string, string>) => {
      const iat = Math.floor(now().getTime() / 1000)
      return await signToken('credential', { ...claims, iat, exp: iat + 60 }, published.signer)
    }
  })

  it('makes nothing, and says so, for a broker that the role does not believe', async () => {
    const target = at.target({ audience: 'https://another.example' })
    await expect(issue(reports(), target)).rejects.toThrow(NoEffect)
  })
})
