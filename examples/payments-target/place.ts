/** What a service of this example is told when it is started, and how it says where it listens. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRedeemer, serviceAssertion } from '../../src/target/redeem.ts' // procura/target/redeem
import { createCredentialKeys, createProofStore } from '../../src/target/verify.ts' // procura/target

export const TOOL = 'payments.refund'

/** The broker's address and this service's key, with which it is registered there. */
export function placeOfThisProcess() {
  const { BROKER: issuer = '', SERVICE_KEY_FILE: file = '' } = process.env
  const key = createPrivateKey(readFileSync(file, 'utf8'))
  return {
    ...{ issuer, audience: 'https://payments.example' },
    keys: createCredentialKeys({ issuer }),
    isFirst: createProofStore(),
    redeem: createRedeemer({
      issuer,
      assertion: () => serviceAssertion({ name: 'payments-api', issuer, key }),
    }),
  }
}

/** Calls come to `origin`: what a caller says in `Host` is not asked. */
export function listen(handlerAt: (origin: string) => RequestListener): void {
  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const origin = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    server.on('request', handlerAt(origin))
    process.stdout.write(`${origin}\n`)
  })
}
