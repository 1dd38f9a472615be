/** Arguments, and the JSON they come in: read strictly, held to the tool, and hashed as what they mean. */
import { describe, expect } from 'vitest'
import { digestOf, sha256 } from '../../src/domain/digest.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { REFUND, REFUNDING } from '../scenario/house.ts'
import { BODY } from './adaptor.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import { approved, PUBLISHING, replaced } from './publishing.ts'
import type { HeaderLine } from './wire.ts'

const JSON_TYPE: HeaderLine = ['Content-Type', 'application/json']

/** These octets under a valid proof over them, on the route that decides and on the one that tries. */
async function sent(
  w: World,
  body: string | Uint8Array,
  type: readonly HeaderLine[] = [JSON_TYPE],
) {
  const st = await w.ST(w.agent)
  const pf = { claims: { body_sha256: sha256(body) } }
  const proof = w.PF(w.agent.key, { method: 'POST', path: '/v1/credentials', token: st }, pf)
  const headers: HeaderLine[] = [...type, ['Authorization', `DPoP ${st}`], ...proof]
  return await w.send({ method: 'POST', path: '/v1/credentials', headers, body })
}
const refused = async (w: World, body: string | Uint8Array, status: number, code: string) =>
  await w.refused(sent(w, body), { status, code })

/** A valid call, with these arguments as they are written. */
const calling = (args: string) => `{"tool":"payments.refund","arguments":${args}}`
const ORDER = '"order_id":"EU-2026/10231","currency":"EUR"'
const refund = (more: JsonObject) => ({
  tool: 'payments.refund',
  arguments: { ...REFUND, ...more },
})

describe('JSON that two readers could understand differently', () => {
  const ORDERED = (more: string) => calling(`{${ORDER},${more}}`)
  const all = async (w: World, code: string, bodies: readonly (string | Uint8Array)[]) => {
    for (const body of bodies) await refused(w, body, 400, code)
    expect(({} as { x?: number }).x).toBeUndefined()
  }

  line('[ARG-01] is refused when a member is there twice, at any depth', async (w) => {
    const twice = [ORDERED('"amount":1,"amount":1000'), ORDERED('"amount":1000,"amount":1000')]
    const tool = `{"tool":"sql.query",${calling('{}').slice(1)}`
    await all(w, 'duplicate_key', [...twice, tool, calling('{"a":[{"b":1,"b":1}]}')])
  })

  line('[ARG-02] is refused when a member is there twice, once escaped', async (w) => {
    const escaped = '"amount":1,"\\u0061mount":1000'
    await all(w, 'duplicate_key', [ORDERED(escaped), ORDERED(escaped.toUpperCase().toLowerCase())])
  })

  line('[ARG-03] is refused when a name is one that engines give a meaning to', async (w) => {
    const names = ['__proto__', '\\u005f\\u005fproto__', '__defineGetter__', '__x']
    const bodies = names.map((name) => ORDERED(`"amount":1,"${name}":{"x":1}`))
    await all(w, 'malformed_request', [...bodies, `{"__proto__":{},${calling('{}').slice(1)}`])
  })

  line('[ARG-04] is refused when a number would not survive being read', async (w) => {
    const numbers = ['9007199254740993', '1e400', '1.0000000000000001', '-0', '1e-400', '-1e999']
    await all(
      w,
      'unsafe_number',
      numbers.map((it) => ORDERED(`"amount":${it}`)),
    )
  })

  line('[ARG-08] is refused when its octets are not clean UTF-8', async (w) => {
    const latin = Buffer.from(ORDERED('"amount":1,"note":"\u00ff"'), 'latin1')
    const overlong = Buffer.concat([
      Buffer.from('{"a":"'),
      Buffer.of(0xc0, 0xaf),
      Buffer.from('"}'),
    ])
    const wide = Buffer.from(ORDERED('"amount":1'), 'utf16le')
    const texts = ['\\ud83d', '\\udc00\\ud83d', '\\u0000'].map((it) =>
      ORDERED(`"amount":1,"note":"${it}"`),
    )
    await all(w, 'bad_encoding', [
      latin,
      overlong,
      wide,
      `\ufeff${ORDERED('"amount":1')}`,
      ...texts,
    ])
  })

  line('[ARG-12] is refused when it is too deep, or has too much in it', async (w) => {
    const deep = calling(`{"a":${'['.repeat(31)}${']'.repeat(31)}}`)
    const wide = calling(canonical(members(999)))
    await all(w, 'too_complex', [deep, wide, calling(`{"a":[${'1,'.repeat(10_000)}1]}`)])
    await refused(w, calling(`{"a":${'['.repeat(30)}${']'.repeat(30)}}`), 422, 'arguments_invalid')
    await refused(w, calling(canonical(members(998))), 422, 'arguments_invalid')
  })

  line('[ARG-03] is not a member with a name like constructor: that is only data', async (w) => {
    const errors = [{ pointer: '/arguments/constructor', rule: 'unknown_member' }]
    const body = calling(`{${ORDER},"amount":1,"constructor":{"prototype":{"x":1}}}`)
    expect((await refused(w, body, 422, 'arguments_invalid')).body['errors']).toEqual(errors)
    await w.control()
  })

  line(
    '[ARG-12] nor is what takes long: the longest body is refused in milliseconds',
    async (w) => {
      const zeros = '0'.repeat(262_144 - calling(`{${ORDER},"amount":0.11}`).length)
      const body = calling(`{${ORDER},"amount":0.1${zeros}1}`)
      expect(body).toHaveLength(262_144)
      const start = performance.now()
      await refused(w, body, 400, 'unsafe_number')
      expect(performance.now() - start).toBeLessThan(1000)
      await refused(w, `${body} `, 413, 'payload_too_large')
    },
  )
})

function members(count: number): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${String(n)}`, n]))
}

describe('the form of a body', () => {
  line('[ARG-09] is JSON that says so', async (w) => {
    const good = canonical(BODY)
    const form = 'tool=payments.refund&arguments[amount]=1'
    const wrong: readonly [string, readonly HeaderLine[]][] = [
      [form, [['Content-Type', 'application/x-www-form-urlencoded']]],
      [good, [['Content-Type', 'application/x-www-form-urlencoded']]],
      [good, [['Content-Type', 'text/plain']]],
      [good, [['Content-Type', 'application/json; charset=utf-16']]],
      [good, []],
    ]
    for (const [body, type] of wrong) {
      await w.refused(sent(w, body, type), { status: 415, code: 'unsupported_media_type' })
    }
    await w.accepted(sent(w, good))
  })

  line('[ARG-19] is never inflated', async (w) => {
    const body = canonical(BODY)
    for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip']) {
      const type: HeaderLine[] = [JSON_TYPE, ['Content-Encoding', encoding]]
      await w.refused(sent(w, body, type), { status: 415, code: 'unsupported_media_type' })
    }
    await w.accepted(sent(w, body, [JSON_TYPE, ['Content-Encoding', 'identity']]))
  })
})

describe('arguments', () => {
  line('[ARG-07] in another order and spelling are the same ones, with one hash', async (w) => {
    const plain = await w.accepted(sent(w, canonical(BODY)))
    const spelled = ` {\n"arguments" : {"currency":"\\u0045UR", "amount":9.00e2 ,"order_id":"EU-2026\\/10231"},"tool":"payments.refund"}\t`
    const other = await w.accepted(sent(w, spelled))
    expect(plain.body['args_hash']).toBe('-tjnSW1RMBrdHWdz2N6Wnh6qxlNK4MYWsNi6OruJ21s')
    expect(other.body['args_hash']).toBe(plain.body['args_hash'])
  })

  line(
    '[ARG-10] are of the types that the tool declares: nothing is taken for something else',
    async (w) => {
      for (const amount of ['900', null, [900], { value: 900 }, 900.5, true]) {
        const told = await w.refused(w.CR(w.agent, { body: refund({ amount }) }), {
          ...{ status: 422, code: 'arguments_invalid' },
        })
        expect(told.body['errors']).toEqual([
          { pointer: '/arguments/amount', rule: 'invalid_type' },
        ])
      }
      const none = refund({ note: null })
      await w.refused(w.CR(w.agent, { body: none }), { status: 422, code: 'arguments_invalid' })
      const hashes = [{ a: 5 }, { a: '5' }, { a: null }, {}].map((it) => digestOf(it))
      expect(new Set(hashes).size).toBe(4)
    },
  )

  line('[ARG-11] are those that the tool declares, and no more', async (w) => {
    const body = refund({ dry_run: false })
    const told = await w.refused(w.CR(w.agent, { body }), {
      status: 422,
      code: 'arguments_invalid',
    })
    expect(told.body['errors']).toEqual([{ pointer: '/arguments/dry_run', rule: 'unknown_member' }])
    expect(told.text).not.toContain('false')
  })

  line(
    '[ARG-13] stay below the prefix that was consented to, however they are spelled',
    async (w) => {
      const bound = { key: 'args.note', prefix: 'reports/' }
      const agent = await w.anAgent({ terms: { ...REFUNDING, constraints: [bound] } })
      const noted = (note: string) => w.CR(agent, { body: refund({ note }) })
      await w.accepted(noted('reports/x'))
      const escapes = [
        'reports/../secrets',
        'reports/..',
        'reports/%2f..',
        'REPORTS/x',
        'reports//x',
      ]
      for (const note of [...escapes, 'reports', ' reports/x', 'reports/.\\x', 'reports\u2215x']) {
        const told = await w.refused(noted(note), { status: 403, code: 'outside_authority' })
        expect(told.body, note).toMatchObject({ outcome: 'ceiling_exceeded' })
      }
      await w.accepted(noted('reports/x'))
    },
  )
})

describe('what was approved', () => {
  line('[ARG-05] is not what is the same only after normalisation', async (w) => {
    const composed = refund({ amount: 20_000, note: '\u00e9' })
    const approval = await approved(w, w.agent, composed)
    const decomposed = { ...refund({ amount: 20_000, note: 'e\u0301' }), approval }
    await w.refused(w.CR(w.agent, { body: decomposed }), { status: 409, code: 'args_mismatch' })
    await w.accepted(w.CR(w.agent, { body: { ...composed, approval } }))
  })

  line(
    '[ARG-14] is not what a tool that was declared anew would do',
    async (w) => {
      const body = refund({ amount: 20_000 })
      const approval = await approved(w, w.agent, body)
      await replaced(w, 'tools/payments.refund.yaml', 'default: 60', 'default: 90')
      try {
        await w.refused(w.CR(w.agent, { body: { ...body, approval } }), {
          ...{ status: 409, code: 'args_mismatch' },
        })
      } finally {
        await replaced(w, 'tools/payments.refund.yaml', 'default: 90', 'default: 60')
      }
      await w.accepted(w.CR(w.agent, { body: { ...body, approval } }))
    },
    PUBLISHING,
  )
})
