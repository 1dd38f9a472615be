/** The points of a database: around statements of the broker's own connections, and of its targets'. */
import type { Socket } from 'node:net'
import pg from 'pg'
import { type Fault, passing, Planted, strike } from './fault.ts'
import { type Place, PLACES } from './places.ts'

interface Result {
  readonly rowCount?: number | null
}
type Answer = (error: Error | null, result?: Result) => void

interface Connection {
  readonly connectionParameters: { readonly application_name?: string }
  readonly connection: { readonly stream: Socket }
}
type Query = (this: Connection, ...args: unknown[]) => unknown

const ALL = Object.entries(PLACES).flatMap(([point, places]) =>
  places.map((place) => ({ point, place })),
)
type Passed = (typeof ALL)[number]

/** Puts itself before `Client.query`, for all clients of this process. */
export function hookDatabases(): void {
  const prototype = pg.Client.prototype as unknown as { query: Query }
  const query = prototype.query
  prototype.query = function (...args) {
    const by = this.connectionParameters.application_name ?? ''
    const statement = statementOf(args[0])
    const before = sentBefore(this, statement)
    const passed = ALL.filter(({ place }) => isPassed(place, { by, statement, before }))
    for (const it of passed) {
      const early = passing(it.point, (kind) => isEarly(it.place, kind))
      if (early) return striking(early, it.place, { client: this, query, args })
    }
    const late = passed.filter(({ place }) => place.when === 'after')
    return late.length === 0
      ? query.apply(this, args)
      : answered(late, { client: this, query, args })
  }
}

/** What each connection has sent in the transaction that it is in. */
const sent = new WeakMap<Connection, string[]>()

function sentBefore(client: Connection, statement: string): readonly string[] {
  const before = /^begin/.test(statement) ? [] : (sent.get(client) ?? [])
  sent.set(client, statement === 'commit' ? [] : [...before, statement])
  return before
}

interface Passing {
  readonly by: string
  readonly statement: string
  readonly before: readonly string[]
}

function isPassed(place: Place, { by, statement, before }: Passing): boolean {
  if (!place.by.test(by) || !place.statement.test(statement)) return false
  const { follows } = place
  return follows === undefined || before.some((one) => follows.test(one))
}

function statementOf(given: unknown): string {
  if (typeof given === 'string') return given
  const { name, text } = given as { name?: string; text?: string }
  return name ?? text ?? ''
}

/** What holds back an answer has to be there before the answer; so has whatever comes before it. */
const isEarly = ({ when, finds }: Place, kind: Fault['kind']) =>
  when !== 'after' || (finds === undefined && (kind === 'hang' || kind === 'delay'))

interface Sending {
  readonly client: Connection
  readonly query: Query
  readonly args: unknown[]
}

/** The server is as it would be: what is held back is held back on the line, and times out as ever. */
function striking({ kind, ms, point }: Fault, { when }: Place, sending: Sending): unknown {
  const { client, query, args } = sending
  const { stream } = client.connection
  const send = () => query.apply(client, args)
  if (when === 'before') {
    if (kind === 'throw') return failed(args, new Planted(point))
    if (kind === 'kill' || kind === 'stop') strike(kind)
    else stream.cork()
    if (kind === 'delay')
      setTimeout(() => {
        stream.uncork()
      }, ms).unref()
    return send()
  }
  const result = send()
  if (kind === 'kill' || kind === 'stop') strike(kind)
  else if (kind === 'throw') stream.destroy(new Planted(point))
  else stream.pause()
  if (kind === 'delay')
    setTimeout(() => {
      stream.resume()
    }, ms).unref()
  return result
}

function failed(args: unknown[], error: Error): unknown {
  const callback = args.at(-1)
  if (typeof callback !== 'function') return Promise.reject(error)
  setImmediate(callback as Answer, error)
  return undefined
}

/** Sent as it is; its answer passes the points before it is handed on. */
function answered(places: readonly Passed[], { client, query, args }: Sending): unknown {
  const callback = args.at(-1)
  if (typeof callback !== 'function') {
    return (query.apply(client, args) as Promise<Result>).then((result) => {
      const fault = lateFault(places, result)
      if (fault) throw fault
      return result
    })
  }
  const passed: Answer = (error, result) => {
    ;(callback as Answer)(error ?? lateFault(places, result), result)
  }
  return query.apply(client, [...args.slice(0, -1), passed])
}

function lateFault(places: readonly Passed[], result: Result | undefined): Planted | null {
  for (const { point, place } of places) {
    if (place.finds && (result?.rowCount ?? 0) === 0) continue
    // What is held back was looked at as it was sent, and is not counted twice.
    const fault = passing(point, (kind) => !isEarly(place, kind))
    if (fault === null) continue
    if (fault.kind !== 'kill' && fault.kind !== 'stop') return new Planted(point)
    strike(fault.kind)
  }
  return null
}
