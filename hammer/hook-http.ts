/** The points of a connection: a request for a credential arrives, its answer begins, its answer is out. */
import { type IncomingMessage, Server, ServerResponse } from 'node:http'
import { type Fault, passing, strike } from './fault.ts'
import { ISSUING } from './places.ts'

type Emit = (this: Server, event: string, ...args: unknown[]) => boolean
type End = (this: ServerResponse, ...args: unknown[]) => ServerResponse

export function hookServers(): void {
  hookRequests()
  hookAnswers()
}

function hookRequests(): void {
  const prototype = Server.prototype as unknown as { emit: Emit }
  const emit = prototype.emit
  prototype.emit = function (event, ...args) {
    const go = () => emit.call(this, event, ...args)
    const req = args[0] as IncomingMessage
    const fault = event === 'request' && isIssuing(req) ? passing('FP0') : null
    if (fault === null) return go()
    held(fault, req, go)
    return true
  }
}

/** An answer with a credential: its head is on the wire, its body is not; and later, all of it is. */
function hookAnswers(): void {
  const prototype = ServerResponse.prototype as unknown as { end: End }
  const end = prototype.end
  prototype.end = function (...args) {
    const isOne = this.statusCode === 201 && isIssuing(this.req)
    const fault = isOne ? passing('FP9') : null
    if (isOne) {
      this.once('finish', () => {
        const late = passing('FP10')
        if (late) held(late, this.req, () => undefined)
      })
    }
    if (fault === null) return end.apply(this, args)
    this.flushHeaders()
    held(fault, this.req, () => {
      end.apply(this, args)
    })
    return this
  }
}

const isIssuing = ({ method, url }: IncomingMessage) =>
  method === ISSUING.method && url === ISSUING.path

/** `throw` tears the connection; `hang` never goes on. */
function held({ kind, ms }: Fault, { socket }: IncomingMessage, go: () => unknown): void {
  if (kind === 'throw') socket.destroy()
  if (kind === 'delay') setTimeout(go, ms)
  if (kind !== 'kill' && kind !== 'stop') return
  strike(kind)
  go()
}
