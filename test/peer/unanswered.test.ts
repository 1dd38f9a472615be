/** What is not answered, or with nonsense: 503, asked once, and never mistaken for an answer. */
import { createServer } from 'node:https'
import { describe, expect, it } from 'vitest'
import { asking, CDP, listening, PDP, presented, refusalOf, tls } from './lines.ts'

const refusal = (code: string, shown = '{}') =>
  `{"nonce":"n","caller":null,"refusal":{"code":"${code}","message":"m","shown":${shown},"isCounted":true}}`
const answerWith = (expiresAt: string) =>
  `{"nonce":"n","caller":null,"answer":{"kind":"ask","decision":"d","argsHash":"h","level":"L2",
    "approval":{"id":"a","expiresAt":${expiresAt}},"rules":[],"isRepeat":false}}`

describe('what is not answered', () => {
  it('is 503 and asked once: a decision may have been made', async () => {
    let times = 0
    const { cert, key, ca } = tls(PDP, CDP)
    const options = { cert, key: key.reveal(), ca, requestCert: true }
    const server = createServer(options, (req) => {
      times += 1
      req.resume().once('end', () => req.socket.destroy())
    })
    const line = asking(await listening(server))
    expect(await refusalOf(line.decide(presented))).toMatchObject({ code: 'unavailable' })
    expect(times).toBe(1)
  })

  it.each([
    ['no JSON', 'nonsense'],
    ['no reply', '{"answer":{"kind":"allow","signed":"x"}}'],
    ['a code that is none', refusal('no_such')],
    ['a code that every object has', refusal('constructor')],
    ['more than is ever shown', refusal('not_found', '{"errors":"x"}')],
    ['an answer of another kind', '{"nonce":"n","caller":null,"answer":{"kind":"perhaps"}}'],
    ['no answer', '{"nonce":"n","caller":null,"answer":null}'],
    ['an answer without a date', answerWith('"soon"')],
    ['a caller who is none', '{"nonce":"n","caller":"x","answer":{"kind":"allow","signed":"x"}}'],
  ])('nor is what is answered with %s', async (_what, text) => {
    const { cert, key, ca } = tls(PDP, CDP)
    const server = createServer({ cert, key: key.reveal(), ca, requestCert: true }, (_req, res) =>
      res.end(text),
    )
    const line = asking(await listening(server))
    expect(await refusalOf(line.decide(presented))).toMatchObject({ code: 'unavailable' })
  })

  it('is told as soon as the other end turns to another protocol', async () => {
    const { cert, key, ca } = tls(PDP, CDP)
    const server = createServer({ cert, key: key.reveal(), ca, requestCert: true }, (req) => {
      req.socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
      )
    })
    const line = asking(await listening(server))
    expect(await refusalOf(line.decide(presented))).toMatchObject({ code: 'unavailable' })
  }, 4000)

  it('nor is what a proof is answered with, unless it is exactly that it holds', async () => {
    const { cert, key, ca } = tls(PDP, CDP)
    let text = '{"nonce":"n","caller":null,"answer":{}}'
    const server = createServer({ cert, key: key.reveal(), ca, requestCert: true }, (_req, res) =>
      res.end(text),
    )
    const line = asking(await listening(server))
    const shown = { proof: 'p', htm: 'GET', htu: 'u', token: 't', jkt: 'k', usedBy: null }
    expect(await refusalOf(line.checkProof(shown))).toMatchObject({ code: 'unavailable' })
    text = '{"nonce":"n","caller":null}'
    expect(await refusalOf(line.checkProof(shown))).toMatchObject({ code: 'unavailable' })
    text = '{"nonce":"n","caller":null,"answer":null}'
    expect(await refusalOf(line.checkProof(shown))).toBe(null)
  })
})
