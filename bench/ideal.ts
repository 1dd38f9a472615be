/**
 * The floor that the broker is held against: node:http with nothing but what a mint needs, in the broker's
 * own order. It keeps no promise about anything but the happy path.
 *
 * `node bench/ideal.ts <workers> <wasm | compiled>`
 */
import cluster from 'node:cluster'
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { canonical, isObject, type Json, type JsonObject } from '../src/domain/json.ts'
import { createPolicies } from './ideal-policy.ts'
import { decode, encode, sha256, signJws, verifyJws } from './ideal-jws.ts'
import { openStore } from './ideal-store.ts'

const Ask = z.strictObject({
  tool: z.literal('payments.refund'),
  arguments: z.strictObject({
    order_id: z.string().max(64),
    amount: z.int().min(1),
    currency: z.enum(['EUR', 'GBP', 'USD']),
  }),
  purpose: z.string().optional(),
})
type Ask = z.infer<typeof Ask>

const [workers = '1', form = 'wasm'] = process.argv.slice(2)
const count = Number(workers)
// Whoever forks makes the key, so that each worker knows the sessions of the others.
const pem = process.env['IDEAL_KEY'] ?? newKey()
const privateKey = createPrivateKey(pem)
const publicKey = createPublicKey(privateKey)
const SESSION = encode({ alg: 'ES256', typ: 'at+jwt', kid: 'session' })
const DECISION = encode({ alg: 'ES256', typ: 'pdp-decision+jwt', kid: 'decision' })
const CREDENTIAL = encode({ alg: 'ES256', typ: 'at+jwt', kid: 'credential' })

const store = await openStore(process.env['DATABASE_URL'] ?? '')
const policies = createPolicies(form === 'compiled' ? form : 'wasm')
const proofKeys = new Map<string, KeyObject>()
const usedProofs = new Set<string>()

if (cluster.isPrimary && count > 1) await lead()
else serve()

async function lead(): Promise<void> {
  await store.end()
  const port = await new Promise<number>((resolve) => {
    let listening = 0
    cluster.on('listening', (_worker, at) => {
      listening += 1
      if (listening === count) resolve(at.port)
    })
    for (let nth = 0; nth < count; nth += 1) cluster.fork({ IDEAL_KEY: pem })
  })
  process.stdout.write(`ready      http://localhost:${String(port)}\n`)
  process.once('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
  })
}

function serve(): void {
  // As long as the broker's: a connection that closes under a caller would void the run.
  const server = createServer({ keepAliveTimeout: 65_000 }, (req, res) => {
    handle(req, res).catch((error: unknown) => {
      send(res, 500, { error: error instanceof Error ? error.message : 'unknown' })
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    if (cluster.isPrimary) process.stdout.write(`ready      http://localhost:${String(port)}\n`)
  })
  process.once('SIGTERM', () => {
    server.close(() => {
      store.end().then(
        () => cluster.worker?.disconnect(),
        (error: unknown) => process.stderr.write(`${String(error)}\n`),
      )
    })
    server.closeAllConnections()
  })
}

function newKey(): string {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const body = await bodyOf(req)
  if (req.url === '/oauth/token') await openSession(req, res)
  else send(res, 201, await mint(req, body))
}

async function mint(req: IncomingMessage, body: Buffer): Promise<JsonObject> {
  const session = sessionOf(req, body)
  const ask = Ask.parse(JSON.parse(body.toString()))
  const argsHash = sha256(canonical(ask.arguments))
  policies.authorize(ask.arguments)
  const claims = decisionOf(session, ask, argsHash)
  const signed = signJws(DECISION, claims, privateKey)
  await record('decision', claims, session.jkt)

  const decided = verifyJws(signed, publicKey)
  const credential = credentialOf(decided)
  const token = signJws(CREDENTIAL, credential, privateKey)
  await record('issuance', { ...credential, credential_id: claims.credential_id }, null)
  const made = { token, token_type: 'DPoP' }
  return { id: claims.credential_id, status: 'active', credential: made, args_hash: argsHash }
}

/** RFC 9449 §4.3, as far as an honest caller meets it: session, proof, key, address, body, once. */
function sessionOf({ headers, url = '' }: IncomingMessage, body: Buffer): { jkt: string } {
  const token = (headers.authorization ?? '').slice('DPoP '.length)
  const { jkt } = verifyJws(token, publicKey)
  const proof = String(headers['dpop'])
  const { jwk } = decode(proof.slice(0, proof.indexOf('.')))
  const key = keyOf(jwk as JsonObject)
  const { htm, htu, ath, body_sha256, jti, iat } = verifyJws(proof, key.key)
  const isFresh = Math.abs(Date.now() / 1000 - Number(iat)) < 60 && !usedProofs.has(textOf(jti))
  const isForThis = htm === 'POST' && textOf(htu).endsWith(url) && ath === sha256(token)
  if (!isFresh || !isForThis || body_sha256 !== sha256(body) || key.jkt !== jkt) {
    throw new Error('a proof is wrong')
  }
  usedProofs.add(textOf(jti))
  return { jkt: key.jkt }
}

function keyOf({ crv, kty, x, y }: JsonObject): { key: KeyObject; jkt: string } {
  const jwk = { crv: textOf(crv), kty: textOf(kty), x: textOf(x), y: textOf(y) }
  const jkt = sha256(`{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}","y":"${jwk.y}"}`)
  const key = proofKeys.get(jkt) ?? createPublicKey({ key: jwk, format: 'jwk' })
  proofKeys.set(jkt, key)
  return { key, jkt }
}

function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value
  throw new Error('a member is not a text')
}

async function openSession({ headers }: IncomingMessage, res: ServerResponse): Promise<void> {
  const { jwk } = decode(String(headers['dpop']).split('.')[0] ?? '')
  if (!isObject(jwk)) throw new Error('a proof has no key')
  const { jkt } = keyOf(jwk)
  await store.openAccount(jkt)
  const token = signJws(SESSION, { jkt, sub: 'sponsor', jti: randomUUID() }, privateKey)
  send(res, 200, { access_token: token, token_type: 'DPoP', expires_in: 600 })
}

function decisionOf({ jkt }: { jkt: string }, ask: Ask, argsHash: string) {
  const iat = Math.floor(Date.now() / 1000)
  const requestHash = sha256(canonical({ jkt, tool: ask.tool, args_hash: argsHash }))
  return {
    ...{ iss: 'ideal/pdp', aud: 'ideal/cdp', iat, exp: iat + 60, jti: `dec_${randomUUID()}` },
    ...{ sub: 'sponsor', client_id: 'agent', cnf: { jkt }, purpose: 'support.refunds' },
    ...{ tool: ask.tool, args_hash: argsHash, request_hash: requestHash, ttl_seconds: 60 },
    ...{ target: 'payments', connector: 'jwt', sender_constraint: 'dpop', level: 'L1' },
    ...{ credential_id: `crd_${randomUUID()}`, revocation_epoch: 0, policy_epoch: 1 },
    grant: { audience: 'https://payments.example' },
  }
}

function credentialOf(decided: JsonObject): JsonObject {
  const { sub = null, client_id = null, cnf = null, tool = null, args_hash = null } = decided
  const iat = Math.floor(Date.now() / 1000)
  const call = { type: 'tool_call', tool, args_hash, max_uses: 1 }
  return {
    ...{ iss: 'ideal/credentials', aud: 'https://payments.example', sub, client_id, cnf },
    ...{ iat, exp: iat + 60, jti: decided['credential_id'] ?? null },
    authorization_details: [call],
  }
}

async function record(
  type: string,
  members: JsonObject & { credential_id: string },
  account: string | null,
): Promise<void> {
  const eventId = `evt_${randomUUID()}`
  const at = new Date().toISOString()
  const entry = canonical({
    v: 1,
    event_id: eventId,
    event_type: type,
    occurred_at: at,
    ...members,
  })
  await store.record({ eventId, credential: members.credential_id, entry, account })
}

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function send(res: ServerResponse, status: number, body: JsonObject): void {
  res.writeHead(status, { 'content-type': 'application/json' })
  res.end(JSON.stringify(body))
}
