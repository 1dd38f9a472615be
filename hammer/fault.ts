/** A fault that is armed: at which point, of which kind, at the how-manieth passage. */
import { writeSync } from 'node:fs'
import { POINTS } from './places.ts'

/** `stop`: the process stands still until somebody else lets it go on. */
export const KINDS = ['kill', 'stop', 'throw', 'hang', 'delay'] as const
export type Kind = (typeof KINDS)[number]

export interface Fault {
  readonly point: string
  readonly kind: Kind
  /** Of a delay. */
  readonly ms: number
  readonly passage: number
}

/** The words that the process writes to its standard error as a fault strikes. */
export const STRUCK = 'fault struck'

/** Reads `FP7:kill:3`, `FP5:delay=200`; several are separated by commas. @throws Error */
export function readFaults(text: string): Fault[] {
  return text.split(',').map((one) => {
    const [, point = '', kind = '', ms, passage] =
      /^(FP\d+):([a-z]+)(?:=(\d+))?(?::(\d+))?$/.exec(one) ?? []
    if (!POINTS.includes(point)) throw new Error(`${one} names no point there is`)
    if (!isKind(kind)) throw new Error(`${one}: the kinds are ${KINDS.join(', ')}`)
    return { point, kind, ms: Number(ms ?? 500), passage: Number(passage ?? 1) }
  })
}

const isKind = (text: string): text is Kind => (KINDS as readonly string[]).includes(text)

let armed: { fault: Fault; left: number }[] = []

export function arm(faults: readonly Fault[]): void {
  armed = faults.map((fault) => ({ fault, left: fault.passage }))
}

/** Counts a passage; the fault that strikes at it, if one does. It strikes once. */
export function passing(point: string, isFit: (kind: Kind) => boolean = () => true): Fault | null {
  for (const it of armed) {
    if (it.fault.point !== point || !isFit(it.fault.kind)) continue
    it.left -= 1
    if (it.left > 0) continue
    armed = armed.filter((other) => other !== it)
    const { kind, passage } = it.fault
    // Not by a stream: a process that is killed at once must have said it.
    writeSync(2, `${STRUCK} ${point} ${kind} ${String(passage)}\n`)
    return it.fault
  }
  return null
}

/** Ends or stops this process, here and now; a kill does not return. */
export function strike(kind: 'kill' | 'stop'): void {
  process.kill(process.pid, kind === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  // A signal to oneself arrives before the call returns, or at the latest now.
  if (kind === 'kill') for (;;);
}

export class Planted extends Error {
  override readonly name = 'Planted'
  constructor(point: string) {
    super(`planted at ${point}`)
  }
}
