/** oidc-provider, an authorization server that nobody here wrote: on loopback, in this process, for one client. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
// @ts-expect-error: it comes without types.
import Untyped from 'oidc-provider'

export interface OidcProvider {
  readonly tokenUrl: string
  /** The refresh token that somebody's consent would have come to. */
  readonly grant: () => Promise<string>
  /** Whether it has given this access token, and would tell an API that it counts. */
  readonly takes: (token: string) => Promise<boolean>
  /** How many questions it was asked. */
  readonly asked: () => number
  readonly stop: () => Promise<void>
}

const SCOPE = 'openid offline_access'

export async function startOidcProvider(client: {
  readonly id: string
  readonly secret: string
}): Promise<OidcProvider> {
  const Provider = Untyped as Made
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  const provider = new Provider(at, {
    clients: [
      {
        ...{ client_id: client.id, client_secret: client.secret, response_types: ['code'] },
        grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
        redirect_uris: ['https://us.example/callback'],
      },
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: 3600,
      ClientCredentials: 3600,
      Grant: 7200,
      IdToken: 3600,
      RefreshToken: 7200,
    },
    findAccount: (_ctx: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
  })
  let asked = 0
  const answer = provider.callback()
  server.on('request', (request, response) => {
    asked += 1
    answer(request, response)
  })
  return {
    tokenUrl: `${at}/token`,
    async grant() {
      const grant = new provider.Grant({ accountId: 'kim', clientId: client.id })
      grant.addOIDCScope(SCOPE)
      const about = { accountId: 'kim', grantId: await grant.save(), scope: SCOPE }
      const known = await provider.Client.find(client.id)
      const gty = 'authorization_code'
      return await new provider.RefreshToken({ ...about, client: known, gty }).save()
    },
    async takes(token) {
      const [user, own] = await Promise.all([
        provider.AccessToken.find(token),
        provider.ClientCredentials.find(token),
      ])
      return user !== undefined || own !== undefined
    },
    asked: () => asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
      }),
  }
}

interface Kept {
  save(): Promise<string>
}
type Made = new (
  issuer: string,
  settings: object,
) => {
  callback(): RequestListener
  readonly Grant: new (about: object) => Kept & { addOIDCScope(scope: string): void }
  readonly RefreshToken: new (about: object) => Kept
  readonly Client: { find(id: string): Promise<object | undefined> }
  readonly AccessToken: { find(token: string): Promise<object | undefined> }
  readonly ClientCredentials: { find(token: string): Promise<object | undefined> }
}
