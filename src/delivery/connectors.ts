/** The connectors there are: a literal list, nothing is looked up or loaded. */
import type { Clock } from '../domain/clock.ts'
import type { Signer } from '../domain/jws.ts'
import { awsSts } from './connectors/aws-sts.ts'
import { http } from './connectors/http.ts'
import { jwt } from './connectors/jwt.ts'
import { postgres } from './connectors/postgres.ts'
import { postgresExact } from './connectors/postgres/exact.ts'
import { vault } from './connectors/vault.ts'
import type { Exclusively } from './exclusively.ts'
import type { Secrets } from './seal.ts'
import { type Kind, kindOf } from './targets.ts'

export interface ConnectorsOptions {
  /** Signs minted credentials, and who we are; targets trust its keys and nothing else of ours. */
  readonly credentials: Signer
  readonly secrets: Secrets
  /** Which broker this is: two that guard one target know their logins apart by it. */
  readonly owner: string
  readonly clock: Clock
  readonly exclusively: Exclusively
}

export function createConnectors({ credentials, ...own }: ConnectorsOptions): Kind[] {
  return [
    kindOf(jwt(credentials)),
    kindOf(postgres(own)),
    kindOf(postgresExact(own)),
    kindOf(http(own.owner)),
    kindOf(vault(own)),
    kindOf(awsSts({ ...own, identity: credentials })),
  ]
}
