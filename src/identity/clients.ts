/** Who authenticates by a form alone, to have a token of theirs stopped: a service, or an agent (RFC 7009). */
import { isId } from '../domain/ids.ts'
import type { AgentId } from '../domain/ids.ts'
import { JwsError } from '../domain/jws.ts'
import type { ProvenService } from '../domain/person.ts'
import type { Act, Presented } from '../domain/request.ts'
import { attest, type AttestOptions } from './assertions.ts'
import { takeApart } from './compact.ts'
import { refusing } from './refusals.ts'
import type { Services, ServiceSettings } from './services.ts'
import { MAX_BYTES } from './third-party.ts'
import { type Form, parameter } from './token-form.ts'

export type ProvenClient =
  | { readonly kind: 'service'; readonly service: ProvenService }
  | { readonly kind: 'agent'; readonly agent: AgentId; readonly act: Act }

export interface Clients {
  /**
   * An agent may show the proof of its key; its assertion is then bound to that key, as at the token
   * endpoint. Without one nothing is bound: all that it gets is that a token of its own dies.
   *
   * @throws BrokerError `invalid_client`, `invalid_dpop_proof`, `use_dpop_nonce`, `unavailable`
   */
  client(form: Form, presented: Presented): Promise<ProvenClient>
}

export interface ClientsOptions extends AttestOptions {
  readonly services: readonly ServiceSettings[]
  readonly service: Services['service']
  /** Checks the proof of the presented request and uses it up; the key it was made with. */
  readonly prove: (presented: Presented) => Promise<string>
}

const BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export function createClients(options: ClientsOptions): Clients {
  const isService = (name: unknown) => options.services.some((it) => it.name === name)
  return {
    async client(form, presented) {
      const type = parameter(form, 'client_assertion_type')
      const assertion = parameter(form, 'client_assertion')
      const isOfService = await refusing('invalid_client', () => {
        if (assertion === undefined) throw new JwsError('no_assertion')
        return type === BEARER && isService(takeApart(assertion, MAX_BYTES).claims['iss'])
      })
      if (isOfService) {
        return { kind: 'service', service: await options.service(presented, assertion ?? null) }
      }

      const jkt = presented.dpop === null ? null : await options.prove(presented)
      const attested = await attest(options, { type, assertion }, jkt)
      const { agent, authentication, tokenHash: credentialHash } = attested
      const named = parameter(form, 'client_id')
      await refusing('invalid_client', () => {
        if (named !== undefined && !(isId('agt', named) && named === agent.id)) {
          throw new JwsError('client_id')
        }
      })
      presented.recognised?.({ kind: 'agent', id: agent.id, sponsor: agent.sponsor })
      const { requestId, face } = presented
      const actor = { kind: 'agent', id: agent.id, authentication, credentialHash } as const
      const act = { requestId, face, actor: jkt === null ? actor : { ...actor, jkt } }
      return { kind: 'agent', agent: agent.id, act }
    },
  }
}
