/** What a target answers → what its caller gets of it: looked through, bounded, or withheld. */
import type { IncomingMessage } from 'node:http'
import type { Settings } from '../connectors/http/settings.ts'
import { answerHeaders } from './headers.ts'
import type { Scanner } from './scan.ts'

/** Held until then, so that an answer that is withheld is withheld whole. */
const FIRST_BYTES = 65_536
const FIRST_MS = 500

export interface Head {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export interface Begun {
  readonly first: Uint8Array
  /** `null`: `first` is all of it. */
  readonly more: AsyncIterable<Uint8Array> | null
}

/** Why an answer is not passed on. None of what it says is in here. */
export class Withheld extends Error {
  override readonly name = 'Withheld'
  readonly reason: 'secret_reflected' | 'too_large' | 'encoded'
  constructor(reason: Withheld['reason']) {
    super(reason)
    this.reason = reason
  }
}

/** @throws Withheld where the head alone shows that it is not to be passed on */
export function headOf(answer: IncomingMessage, settings: Settings, scanner: Scanner): Head {
  const { statusCode: status = 502, statusMessage = '', rawHeaders, headers } = answer
  if (scanner.sees([statusMessage, ...rawHeaders].join('\n')))
    throw new Withheld('secret_reflected')
  const { 'content-encoding': encoding = 'identity', 'content-length': length = 0 } = headers
  if (encoding.toLowerCase() !== 'identity') throw new Withheld('encoded')
  if (Number(length) > settings.response_bytes_max) throw new Withheld('too_large')
  return { status, headers: answerHeaders(rawHeaders, settings.response_headers) }
}

/** Its octets as they may go on. @throws Withheld from the iteration, before anything of a hit */
export async function* lookedThrough(
  answer: AsyncIterable<Uint8Array>,
  { response_bytes_max: bytesMax }: Pick<Settings, 'response_bytes_max'>,
  scanner: Scanner,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0
  for await (const chunk of answer) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Withheld('too_large')
    const safe = scanner.push(chunk)
    if (safe === null) throw new Withheld('secret_reflected')
    if (safe.length > 0) yield safe
  }
  const rest = scanner.rest()
  if (rest.length > 0) yield rest
}

/** Waits for all of a short answer, or for the beginning of one that is long or slow. */
export async function begun(chunks: AsyncGenerator<Uint8Array, void>): Promise<Begun> {
  const first: Uint8Array[] = []
  let size = 0
  let late: NodeJS.Timeout | undefined
  const time = new Promise<'late'>((resolve) => {
    late = setTimeout(resolve, FIRST_MS, 'late')
  })
  try {
    for (;;) {
      const next = chunks.next()
      next.catch(() => undefined) // Whoever goes on with it is told; it may be nobody.
      const came = await Promise.race([next, time])
      if (came === 'late') return { first: Buffer.concat(first), more: goingOn(next, chunks) }
      if (came.done === true) return { first: Buffer.concat(first), more: null }
      first.push(came.value)
      size += came.value.length
      if (size >= FIRST_BYTES) return { first: Buffer.concat(first), more: chunks }
    }
  } finally {
    clearTimeout(late)
  }
}

async function* goingOn(
  next: Promise<IteratorResult<Uint8Array, void>>,
  chunks: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  const came = await next
  if (came.done === true) return
  yield came.value
  yield* chunks
}
