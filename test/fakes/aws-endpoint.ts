/** An endpoint that speaks STS's wire form, remembers what it was sent, and can fail in every way. */
import { createServer, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

export interface AwsEndpoint {
  readonly url: string
  /** The form of each request, and the header that says who signed it and for where. */
  readonly asked: { readonly form: URLSearchParams; readonly authorization: string }[]
  /** What it does when it is asked; a session, where this is not set. */
  answer: (res: ServerResponse, form: URLSearchParams) => void
  close(): Promise<void>
}

export async function anAwsEndpoint(): Promise<AwsEndpoint> {
  const asked: AwsEndpoint['asked'][number][] = []
  const server = createServer((req, res) => {
    const read: Buffer[] = []
    req.on('data', (chunk: Buffer) => read.push(chunk))
    req.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(read).toString())
      asked.push({ form, authorization: req.headers.authorization ?? '' })
      endpoint.answer(res, form)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const endpoint: AwsEndpoint = {
    ...{ url: `http://127.0.0.1:${String(port)}`, asked },
    answer: (res, form) => {
      const [name, action] = [form.get('RoleSessionName') ?? '', form.get('Action')]
      xml(res, 200, session(name, undefined, action ?? undefined))
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return endpoint
}

export function xml(res: ServerResponse, status: number, body: string): void {
  res.writeHead(status, { 'Content-Type': 'text/xml' }).end(body)
}

export const session = (
  name: string,
  expiration = '2099-01-01T00:00:00Z',
  action = 'AssumeRole',
) => `
  <${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>
    <AssumedRoleUser><AssumedRoleId>AROA:${name}</AssumedRoleId>
      <Arn>arn:aws:sts::1:assumed-role/reports/${name}</Arn></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIAMADEBYTHEFAKE</AccessKeyId>
      <SecretAccessKey>canary-secret</SecretAccessKey><SessionToken>canary-token</SessionToken>
      <Expiration>${expiration}</Expiration></Credentials>
  </${action}Result></${action}Response>`

export const failure = (code: string) => `
  <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
    <Code>${code}</Code><Message>canary-words of the target</Message></Error></ErrorResponse>`
