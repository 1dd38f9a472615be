/** Every check of the hammer has been seen to fire: each is shown a world in which its invariant is broken. */
import { describe, expect, it } from 'vitest'
import { check, CHECKS } from '../../hammer/checking.ts'
import { checkVerifier } from '../../hammer/invariants/verifier.ts'
import type { Line } from '../../hammer/journal.ts'
import { randomOf } from '../../hammer/random.ts'
import type { Credential, Snapshot } from '../../hammer/snapshot.ts'
import {
  aSoundWorld,
  extended,
  leafOf,
  lineOf,
  rewritten,
  second,
  SECRET,
} from '../fakes/hammered.ts'
import { checkpointAt, leavesOf, ORIGIN, VKEY, aLog } from '../fakes/ledger-export.ts'

const violated = (seen: Snapshot) =>
  check(seen, 'calm')
    .filter(({ violations }) => violations.length > 0)
    .map(({ id }) => id)

const sound = aSoundWorld()
const also = (...lines: Line[]) => ({ journal: [...sound.journal, ...lines] })
const rows = (change: Partial<Credential>) => ({
  credentials: sound.credentials.map((row) => ({ ...row, ...change })),
})
const allowed = (id: string) => ({
  ...sound.leaves[1]?.record,
  ...{ event_type: 'decision', consent_id: 'con_2', decision: { id, answer: 'allow' } },
})
const mint = (said: Partial<Line>) => lineOf({ op: 'mint', key: 'key 1', ...said })

// prettier-ignore
const BROKEN: readonly (readonly [id: string, what: string, broken: Partial<Snapshot>])[] = [
  ['I1', 'a secret was delivered that is not on record', also(mint({ credential: 'crd_9', secret: 'S' }))],
  ['I1', 'what was delivered was denied', rewritten(1, ['decision', 'answer'], 'deny')],
  ['I1', 'a login at the target has no row', { logins: ['cb_9'] }],
  ['I2', 'an acknowledged event is not on record', also(lineOf({ op: 'approve', event: 'evt_99' }))],
  ['I2', 'an event was proven with another hash', also(lineOf({ op: 'proof', event: 'evt_0', leaf: 'h' }))],
  ['I2', 'an acknowledged question is not on record', also(mint({ status: 202, decision: 'dec_9' }))],
  ['I3', 'a login outlives its lease', { logins: ['cb_1'] }],
  ['I3', 'a session outlives its lease', { sessions: ['cb_1'] }],
  ['I3', 'a lease is being made for ever', { ...rows({ state: 'minting' }), now: second(500) }],
  ['I3', 'an expired lease is not ended', { ...rows({ state: 'active' }), now: second(500) }],
  ['I3', 'an allow has spent and came to nothing', { ...extended(allowed('dec_3')), now: second(500) }],
  ['I4', 'it lives longer than was decided', rewritten(2, ['credential', 'expires_at'], second(99).toISOString())],
  ['I4', 'it is for longer than was consented to', rewritten(1, ['call', 'ttl_seconds'], 301)],
  ['I4', 'it outlives its consent', rewritten(0, ['consent', 'expires_at'], second(10).toISOString())],
  ['I4', 'its tool was not consented to', rewritten(2, ['call', 'tool'], 'payments.refund')],
  ['I4', 'its purpose was not consented to', rewritten(2, ['purpose'], 'reports')],
  ['I5', 'a yes is behind two credentials', rows({ approval_id: 'apr_1' })],
  ['I5', 'a decision was issued twice', extended({ ...sound.leaves[2]?.record, event_type: 'issuance' })],
  ['I5', 'a consent was used too often', rewritten(0, ['consent', 'max_uses'], 1)],
  ['I5', 'a token was spent twice', also(lineOf({ op: 'redeem', key: 'r2', credential: 'crd_1' }))],
  ['I6', 'it was allowed after the end on record', extended({ ...allowed('dec_3'), consent_id: 'con_1' })],
  ['I6', 'it was answered after the end was told', also(mint({ key: 'k', consent: 'con_1', secret: 'S', at: second(9).getTime() }))],
  ['I6', 'what has an end on record is alive', rows({ state: 'active' })],
  ['I7', 'the sequence has a gap', { leaves: sound.leaves.toSpliced(3, 1) }],
  ['I7', 'an entry is not what was hashed', { leaves: sound.leaves.map((leaf) => ({ ...leaf, entry: `${leaf.entry} ` })) }],
  ['I7', 'a checkpoint has another root', { checkpoints: sound.checkpoints.map((it) => ({ ...it, root: 'r' })) }],
  ['I7', 'the witness has another root', { witnessed: sound.checkpoints.map((it) => ({ ...it, root: 'r' })) }],
  ['I7', 'the end of the log is gone', { leaves: sound.leaves.slice(0, 5) }],
  ['I8', 'the sponsor said yes to their own', { approvals: sound.approvals.map((it) => ({ ...it, approver: 'spn_1' })) }],
  ['I8', 'another call was said yes to', rewritten(3, ['call', 'args_hash'], 'other')],
  ['I8', 'another call was issued', rewritten(5, ['call', 'args_hash'], 'other')],
  ['I9', 'an allow has no stamp of its checks', rewritten(1, ['decision', 'revocation_epoch'], null)],
  ['I9', 'an allow was not evaluated', rewritten(1, ['evaluation', 'status'], 'not_evaluated')],
  ['I10', 'one key names two credentials', also(mint({ credential: 'crd_2' }))],
  ['I10', 'one secret was told twice', also(mint({ ...sound.journal[1] }))],
  ['I11', 'a secret is in what was printed', { printed: [`a line with ${SECRET} in it`] }],
  ['I11', 'a secret is in a log as base64', { printed: [Buffer.from(SECRET).toString('base64')] }],
  ['I11', 'a secret is in a log as hex', { printed: [Buffer.from(SECRET).toString('hex')] }],
  ['I11', 'a secret is in the ledger', { leaves: [...sound.leaves, leafOf(8, { event_type: 'x', note: SECRET })] }],
  ['I12', 'another side was told of a credential', also(lineOf({ op: 'look', sponsor: 'ana', ids: ['crd_1'] }))],
  ['I13', 'a decision lacks the hash of its facts', rewritten(1, ['decision', 'facts_hash'], null)],
  ['I14', 'it fails after the calm', also(lineOf({ op: 'mint', call: 9, status: 503, at: second(60).getTime() }))],
  ['I15', 'a connection stands in a transaction', { idleInTransaction: 1 }],
  ['I15', 'a lock is waited for', { oldLocks: 1 }],
  ['I16', 'something outlived its time', rows({ confirmed_dead_at: second(140) })],
  ['I18', 'the head is not signed', { checkpoints: [], witnessed: [] }],
  ['I19', 'a refusal became a credential', { journal: [mint({ status: 403 }), ...sound.journal] }],
  ['I20', 'what was told as failed is alive', { ...rows({ state: 'active', ended_at: null }), ...also(mint({ status: 504, decision: 'dec_1' })) }],
  ['I20', 'what was told as failed was delivered', also(mint({ status: 502, decision: 'dec_1' }))],
]

describe('the checker', () => {
  it('finds nothing where everything holds, and has looked', () => {
    const findings = check(sound, 'calm')
    expect(findings.flatMap(({ id, violations }) => violations.map((it) => `${id} ${it}`))).toEqual(
      [],
    )
    const idle = findings.filter(({ looked }) => looked === 0).map(({ id }) => id)
    expect(idle, 'nothing failed here, and nothing came after the calm').toEqual(['I14', 'I20'])
  })

  it.each(BROKEN)('%s fires where %s', (id, _what, broken) => {
    expect(violated({ ...sound, ...broken })).toContain(id)
  })

  it('takes for no life what was given up before it began, and for one what was made and failed', () => {
    const ended = { state: 'failed', ended_at: second(200), confirmed_dead_at: null }
    const begun = { ...sound, ...rows({ ...ended, issued_at: second(1) }) }
    expect(violated(begun)).toContain('I16')
    const given = { ...sound, ...rows({ ...ended, issued_at: second(200) }) }
    expect(violated(given)).not.toContain('I16')
  })

  it('has no check that was not seen to fire', () => {
    const seen = new Set(BROKEN.map(([id]) => id))
    expect(CHECKS.map(({ id }) => id).filter((id) => !seen.has(id))).toEqual([])
  })
})

describe('[I17] the check of the verifier', () => {
  const leaves = leavesOf(aLog().map(({ record }) => record))
  const note = checkpointAt(leaves, leaves.length)
  const own = { ...sound, leaves: leaves.map((entry) => ({ ...leafOf(0, {}), entry })) }
  const verifying = { vkey: VKEY, origin: ORIGIN, mutations: 300, random: randomOf(1) }

  it('finds nothing to say of a verifier that finds every change', async () => {
    const checkpoints = [{ size: leaves.length, root: '', note }]
    const found = await checkVerifier({ ...own, checkpoints }, verifying)
    expect(found).toMatchObject({ looked: 301, violations: [] })
  })

  it('fires where a log that is not sound passes for the original', async () => {
    const checkpoints = [{ size: leaves.length, root: '', note: note.replace('\n\n', '\n') }]
    const { violations } = await checkVerifier({ ...own, checkpoints }, verifying)
    expect(violations[0]).toContain('the ledger as it is')
  })
})
