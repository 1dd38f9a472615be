/** A signed call of an S3 that nobody here wrote. */
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { send } from '../../../src/delivery/proxy/call.ts'
import { requestHeaders } from '../../../src/delivery/proxy/headers.ts'
import { injected } from '../../../src/delivery/proxy/inject.ts'
import { fill } from '../../../src/domain/http-path.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { noToken } from '../../fakes/no-tokens.ts'
import { type CephRgw, startCephRgw, whyNoCephRgw } from '../../parts/ceph-rgw.ts'

const why = whyNoCephRgw === null ? '' : `, not run: ${whyNoCephRgw}`
const NAMES = ['plain', 'a b', 'é', "it's(1)!*", 'a:b@c', 'a+b=c&d', '100%', '~x.y-z_']

describe.skipIf(why !== '')(`a request signed for AWS, at a Ceph RADOS Gateway${why}`, () => {
  let rgw: CephRgw

  beforeAll(async () => {
    rgw = await startCephRgw()
    const { endpoint, admin: credentials } = rgw
    const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
    await s3.send(new CreateBucketCommand({ Bucket: 'things' }))
    for (const name of NAMES) {
      await s3.send(new PutObjectCommand({ Bucket: 'things', Key: `of/${name}`, Body: name }))
    }
  }, 120_000)
  afterAll(async () => {
    await rgw.end()
  })

  /** Signs a call of `path`, and makes one of `sent`. */
  async function call(path: string, secret: string, sent = path) {
    const base = new URL(rgw.endpoint)
    const headers = requestHeaders({ host: base.host, declared: {}, presented: {}, body: null })
    const plain = { method: 'GET', path, query: '', headers, body: null }
    const { accessKeyId: access_key_id } = rgw.admin
    const inject = { sigv4: { region: 'us-east-1', service: 's3', access_key_id } }
    const signal = AbortSignal.timeout(10_000)
    const injecting = { request: plain, now: new Date(), tokenFor: noToken }
    const injection = await injected(inject, new Secret(secret), injecting)
    const outgoing = {
      ...{ base, pinned: { address: '127.0.0.1', name: null }, ca: undefined, method: 'GET' },
      ...{ target: sent, headers: { ...headers, ...injection.headers }, body: null },
    }
    const answer = await send(outgoing, { isSent: false }, signal)
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk as Buffer)
    return { status: answer.statusCode, text: Buffer.concat(chunks).toString() }
  }
  const pathOf = (name: string) => fill('/things/of/{name}', () => name) ?? ''

  it.each(NAMES)('opens what it was signed for: %s', async (name) => {
    const { status, text } = await call(pathOf(name), rgw.admin.secretAccessKey)
    expect([status, text]).toEqual([200, name])
  })

  it('opens nothing beside it, and nothing under another secret', async () => {
    const { secretAccessKey } = rgw.admin
    const beside = await call(pathOf('plain'), secretAccessKey, pathOf('a b'))
    expect(beside.status).toBe(403)
    expect((await call(pathOf('plain'), `${secretAccessKey}x`)).status).toBe(403)
  })
})
