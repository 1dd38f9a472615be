/** One value, followed: what is hashed, decided, approved, minted, recorded and spent is the same. */
import { createHash, randomUUID } from 'node:crypto'
import canonicalize from 'canonicalize'
import { expect } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { REFUND } from '../scenario/house.ts'
import { insideOf } from './forging.ts'
import { line } from './pair.ts'
import { approved } from './publishing.ts'

line(
  '[ARG-07] [I8] one value is asked for, approved, decided, minted, recorded and spent',
  async (w) => {
    const mark = randomUUID()
    const value: JsonObject = {
      ...REFUND,
      amount: 20_000,
      note: `${mark} e\u0301 "quoted" \u20ac/\\`,
    }
    const hash = createHash('sha256')
      .update(canonicalize(value) ?? '')
      .digest('base64url')
    const body = { tool: 'payments.refund', arguments: value }
    const approval = await approved(w, w.agent, body)
    // Written otherwise when it is executed: what counts is the value.
    const spelled = `{"approval":"${approval}","arguments":{"note":"${mark} \\u0065\\u0301 \\"quoted\\" \u20ac\\/\\\\","currency":"EUR","order_id":"EU-2026\\/10231","amount":2.0e4},"tool":"payments.refund"}`
    const { body: issued } = await w.accepted(w.CR(w.agent, { body: spelled }))
    expect(issued['args_hash'], 'answered').toBe(hash)

    const credential = isObject(issued['credential']) ? issued['credential'] : {}
    const token = textIn(credential, 'token')
    const details = insideOf(token).claims['authorization_details']
    expect(details, 'minted').toMatchObject([{ args_hash: hash }])

    const leaves = await w.database.query<{ type: string; entry: string }>(
      `select event_type as type, entry from ledger.leaf where entry::jsonb -> 'call' ->> 'args_hash' = $1
     order by index`,
      [hash],
    )
    const types = ['decision', 'approval_requested', 'approval_decided', 'decision', 'issuance']
    expect(
      leaves.map(({ type }) => type),
      'recorded',
    ).toEqual(types)
    const bindings = leaves.flatMap(({ entry }) => {
      const record = parseTrusted(entry)
      const of = isObject(record) && isObject(record['approval']) ? record['approval'] : {}
      return typeof of['binding_hash'] === 'string' ? [of['binding_hash']] : []
    })
    expect(new Set(bindings).size, 'approved').toBe(1)

    const path = `/v1/decisions/${textIn(issued, 'decision_id')}`
    const { body: decision } = await w.asBearer(w.PT('cleo'), 'GET', path)
    expect(decision['snapshot'], 'decided').toMatchObject({ arguments: value })
    const [row] = await w.database.query<{ intent: JsonObject }>(
      'select intent from procura.lease where id = $1',
      [textIn(issued, 'id')],
    )
    expect(JSON.stringify(row?.intent), 'signed and redeemed').toContain(hash)

    const spending = { token, tool: 'payments.refund', proof_checked: true }
    const other = createHash('sha256').update('{}').digest('base64url')
    const wrong = w.RD({ ...spending, args_hash: other })
    await w.refused(wrong, { status: 409, code: 'args_mismatch' })
    const spent = await w.accepted(w.RD({ ...spending, args_hash: hash }), 200)
    expect(spent.body['args_hash'], 'spent').toBe(hash)
  },
)
