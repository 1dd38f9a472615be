/** What an answer of a token endpoint is good for, and what it did to what it was asked with. */
import { describe, expect, it } from 'vitest'
import { askForToken } from '../../../src/delivery/proxy/token-endpoint.ts'
import { anUpstream } from '../../lines/upstream.ts'

const TOKENS = '"access_token":"an-access-token","token_type":"Bearer"'
const LONG = 'r'.repeat(20_000)

async function told(text: string, status = 200) {
  const server = await anUpstream()
  server.answer = (_seen, response) => response.writeHead(status).end(text)
  const url = new URL(`http://127.0.0.1:${String(server.port)}/token`)
  const endpoint = { url, pinned: { address: '127.0.0.1', name: null }, ca: undefined }
  const client = { id: 'us', secret: 'sesame', by: 'basic' } as const
  const form = { grant_type: 'refresh_token', refresh_token: 'the one before' }
  return await askForToken(endpoint, { client, form }, AbortSignal.timeout(5000))
}

describe('a refresh token', () => {
  it.each([
    ['a number that we could not keep', '"at":12345678901234567890123,"n":-0,', 'the-next-one'],
    ['a member twice', '"more":1,"more":2,', 'the-next-one'],
    ['names and texts as nobody sends them', '"__more":"\\ud800\\u0000",', 'the-next-one'],
    ['nothing strange', '', 'the next ~ of them'],
    ['nothing but its length', '', LONG],
  ])('comes out of an answer with %s', async (_what, more, token) => {
    const granted = await told(`{${more}${TOKENS},"refresh_token":"${token}"}`)
    expect(granted).toMatchObject({ token: 'an-access-token', refreshToken: token })
    expect(granted.isRefreshTokenUnfit).toBe(false)
  })

  it.each([
    ['none', '{}', false],
    ['null', '{"refresh_token":null}', false],
    ['empty', '{"refresh_token":""}', false],
    ['another type', '{"refresh_token":7}', true],
    ['two lines', '{"refresh_token":"one-of\\r\\n two-lines"}', true],
    ['other letters', '{"refresh_token":"ein schlüssel"}', true],
    ['too short', '{"refresh_token":"abc"}', true],
  ])('that is none is told from one that did not come: %s', async (_what, text, isUnfit) => {
    expect(await told(text)).toMatchObject({ refreshToken: null, isRefreshTokenUnfit: isUnfit })
  })

  it.each([
    [201, 'unknown'],
    [204, 'unknown'],
    [302, 'none'],
    [401, 'none'],
    [500, 'unknown'],
  ])('after a %i is, as far as is known: %s', async (status, effect) => {
    const text = status === 204 ? '' : `{${TOKENS}}`
    await expect(told(text, status)).rejects.toMatchObject({ effect })
  })
})
