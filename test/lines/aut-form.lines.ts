/** Tokens that are not what they look like, at every place where one is believed. */
import { createHmac } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { describe } from 'vitest'
import { canonical } from '../../src/domain/json.ts'
import { aHolder, compact } from '../identity/signing.ts'
import { FACES, forgedAt, isRefused, isTaken, SESSION } from './faces.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'

const encoded = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')

for (const face of FACES) {
  describe(face.name, () => {
    const refused = (w: World, token: string, log?: string) => isRefused(face, w, token, { log })
    const forged = (w: World, changed: Parameters<typeof forgedAt>[2]) => forgedAt(face, w, changed)

    line('[AUT-01] has a signature, by an algorithm that is listed', async (w) => {
      for (const alg of ['none', 'None', 'nOnE', undefined, '']) {
        const [head, body] = (await forged(w, { header: { alg } })).split('.')
        await refused(w, `${head ?? ''}.${body ?? ''}.`, 'alg_not_allowed')
      }
      const [head, body] = (await forged(w, {})).split('.')
      await refused(w, `${head ?? ''}.${body ?? ''}.`, 'bad_signature')
      await isTaken(face, w)
    })

    line('[AUT-02] is not authenticated with a public key as a secret', async (w) => {
      const { holder, header, claims } = await face.valid(w)
      const { publicKey } = holder
      const secrets = [
        publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        publicKey.export({ type: 'spki', format: 'der' }),
        JSON.stringify(publicKey.export({ format: 'jwk' })),
      ]
      for (const secret of secrets) {
        const parts = [canonical({ ...header, alg: 'HS256' }), canonical(claims)].map(encoded)
        const mac = createHmac('sha256', secret).update(parts.join('.')).digest('base64url')
        await refused(w, [...parts, mac].join('.'), 'alg_not_allowed')
      }
    })

    line('[AUT-03] brings no key of its own', async (w) => {
      const thief = aHolder()
      const { kid: _, ...jwk } = thief.jwk
      for (const member of [
        { jwk },
        { jku: 'https://evil.example' },
        { x5c: ['MII'] },
        { x5u: 'x' },
      ]) {
        await refused(
          w,
          await forged(w, { header: { ...member, alg: 'ES256' }, by: thief }),
          'header_not_allowed',
        )
        await refused(w, await forged(w, { header: member }), 'header_not_allowed')
      }
    })

    line('[AUT-05] has a kid that is a name and nothing else', async (w) => {
      const thief = aHolder()
      for (const kid of ['../../../../dev/null', "x' UNION SELECT 1--"]) {
        const log = face.hasKids ? 'kid' : 'bad_signature'
        await refused(w, await forged(w, { header: { kid, alg: 'ES256' }, by: thief }), log)
      }
      await refused(w, await forged(w, { header: { kid: 7 } }), 'kid')
      const long = await forged(w, { header: { kid: 'k'.repeat(65_536) } })
      await w.refused(face.present(w, long), { status: [400, 401, 413, 431] })
    })

    line('[AUT-12] says who it is about in one object', async (w) => {
      for (const claims of ['[]', 'null']) {
        await refused(w, await forged(w, { claims }), 'payload_not_object')
      }
    })

    line('[AUT-13] makes each claim once', async (w) => {
      const { claims } = await face.valid(w)
      const text = canonical(claims).slice(1)
      const twice = `{"sub":"low",${text}`
      await refused(w, await forged(w, { claims: twice }), 'duplicate_claim')
      await refused(w, await forged(w, { claims: `{"s\\u0075b":"low",${text}` }), 'duplicate_claim')
    })

    line('[AUT-14] is a compact JWS, and nothing in it is inflated', async (w) => {
      const token = await forged(w, {})
      const [head = '', body = '', tail = ''] = token.split('.')
      await refused(w, [head, body, tail, head, body].join('.'), 'format')
      await refused(w, await forged(w, { header: { crit: ['x'], x: 1 } }), 'format')
      const bomb = deflateRawSync(Buffer.alloc(4_000_000, '{'))
      const zipped = await forged(w, { header: { zip: 'DEF' } })
      await refused(w, zipped.replace(/\.[^.]*\./, `.${encoded(bomb)}.`), 'format')
      const json = JSON.stringify({ payload: body, protected: head, signature: tail })
      // In a header it is no credential at all; in a form it is a token of a wrong form.
      await refused(w, json, face.code === 'invalid_client' ? 'format' : undefined)
    })

    line('[AUT-16] is signed as the algorithm says, to the byte', async (w) => {
      const token = await forged(w, {})
      const input = token.slice(0, token.lastIndexOf('.'))
      const der = Buffer.from([0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01])
      for (const signature of [encoded(der), encoded(Buffer.alloc(64))]) {
        await refused(w, `${input}.${signature}`, 'bad_signature')
      }
      await refused(w, `${token}=`, 'bad_signature')
      await isTaken(face, w)
    })

    line('[AUT-18] that is too long is refused, and not as if there were none', async (w) => {
      for (const length of [9_000, 100_000]) {
        const token = await forged(w, { header: { kid: 'k'.repeat(length) } })
        await w.refused(face.present(w, token), { status: [401, 413, 431] })
      }
    })
  })
}

describe('a session', () => {
  line('[AUT-15] of ours has the bytes that we write, and no others', async (w) => {
    const { holder, header, claims } = await SESSION.valid(w)
    const spaced = compact(canonical(header), canonical(claims).replace('{', '{ '), holder)
    await isRefused(SESSION, w, spaced, { log: 'non_canonical' })
  })
})
