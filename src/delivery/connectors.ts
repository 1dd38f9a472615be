/** The connectors there are: a literal list, nothing is looked up or loaded. */
import type { Signer } from '../domain/jws.ts'
import { jwt } from './connectors/jwt.ts'
import { postgres } from './connectors/postgres.ts'
import type { Secrets } from './seal.ts'
import { type Kind, kindOf } from './targets.ts'

export interface ConnectorsOptions {
  /** Signs minted credentials; targets trust its keys and nothing else of ours. */
  readonly credentials: Signer
  readonly secrets: Secrets
  /** Which broker this is: two that guard one target know their logins apart by it. */
  readonly owner: string
}

export function createConnectors({ credentials, secrets, owner }: ConnectorsOptions): Kind[] {
  return [kindOf(jwt(credentials)), kindOf(postgres({ secrets, owner }))]
}
