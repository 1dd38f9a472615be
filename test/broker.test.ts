import { describe, expect, it } from 'vitest'
import { aProof, brokerWith } from './fakes/broker.ts'

const read = () => ({ tool: 'sql.query', arguments: {} })

describe('a credential request', () => {
  it('is on record as decided before anything is made, and as issued before it is answered', async () => {
    const { broker, happened } = brokerWith()
    const outcome = await broker.requestCredential(aProof(), read)
    expect(outcome.kind).toBe('issued')
    expect(happened).toEqual([
      ...['recorded decision', 'signed', 'redeemed', 'minted', 'recorded issuance'],
    ])
  })

  it('answers a repeated Idempotency-Key with the same ids and no secret, and makes nothing', async () => {
    const { broker, onRecord, happened } = brokerWith()
    const first = await broker.requestCredential(aProof('key-0001'), read)
    const made = happened.length
    const again = await broker.requestCredential(aProof('key-0001'), read)
    expect(first).toMatchObject({ kind: 'issued', credential: { kind: 'postgres' } })
    expect(again).toMatchObject({ kind: 'issued', credential: null })
    expect(onRecord).toEqual(['decision', 'issuance'])
    expect(happened).toHaveLength(made)
  })

  it('is not told that its yes is used up when it was by itself, under its key', async () => {
    const itself = brokerWith('its yes is used up meanwhile, by itself')
    const again = await itself.broker.requestCredential(aProof('key-0001'), read)
    expect(again).toMatchObject({ kind: 'issued', credential: null })
    expect(itself.onRecord).toEqual([])
    for (const key of ['key-0001', null]) {
      const { broker } = brokerWith('its yes was used up by another')
      const asked = broker.requestCredential(aProof(key), read)
      await expect(asked).rejects.toMatchObject({ code: 'approval_consumed' })
    }
  })

  it('is not told yes, where only that is asked, for a yes that was used up since it was read', async () => {
    const { decider, onRecord } = brokerWith('its yes was used up since it was read')
    await expect(decider.explain(aProof(), read)).rejects.toMatchObject({
      code: 'approval_consumed',
    })
    expect(onRecord).toEqual([])
  })

  it('obeys a withdrawal that was acknowledged before the decision commits', async () => {
    const { broker, onRecord, live, happened } = brokerWith('the consent is withdrawn meanwhile')
    const outcome = await broker.requestCredential(aProof(), read)
    expect(outcome).toMatchObject({ kind: 'deny', answer: { code: 'chain_invalid' } })
    expect(onRecord).toEqual(['decision'])
    expect(happened).not.toContain('signed')
    expect(live.size).toBe(0)
  })

  it.each([
    { fault: 'the decision cannot be recorded', recorded: [] },
    { fault: 'the decision cannot be signed', recorded: ['decision'] },
    { fault: 'it was redeemed before', recorded: ['decision'] },
    { fault: 'the target refuses', recorded: ['decision'] },
    { fault: 'the target mints, then times out', recorded: ['decision'] },
    { fault: 'the issuance cannot be recorded', recorded: ['decision'] },
    { fault: 'it is recorded, and the answer lost', recorded: ['decision', 'issuance'] },
  ] as const)('leaves nothing alive at the target when $fault', async ({ fault, recorded }) => {
    const { broker, onRecord, live } = brokerWith(fault)
    await expect(broker.requestCredential(aProof(), read)).rejects.toThrow()
    expect(live.size).toBe(0)
    expect(onRecord).toEqual(recorded)
  })
})
