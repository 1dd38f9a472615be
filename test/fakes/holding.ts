/** Holds what goes over a connection, at a moment that is known by its words. */
import type { Socket } from 'node:net'

/** `asked`: before the target gets it. `answered`: the target has done it, and its answer is held. */
export type When = 'asked' | 'answered'

export interface Held {
  /** What was asked gets to its target, whose answer is heard by nobody. Resolves when it has answered. */
  deliver(): Promise<void>
  /** It never gets anywhere. */
  drop(): void
}

interface Armed {
  readonly words: string
  readonly when: When
  readonly reached: (held: Held) => void
}

export function createHolding() {
  const armed = new Set<Armed>()
  return {
    isArmed: () => armed.size > 0,
    clear() {
      armed.clear()
    },
    /** The next ask with these words in it, on a connection that begins from now on. */
    hold: (words: string, when: When) =>
      new Promise<Held>((reached) => {
        armed.add({ words, when, reached })
      }),
    /** Passes both ways; `taken` picks what is held of it. */
    join(here: Socket, there: Socket): void {
      joined(here, there, (chunk) => {
        const due = [...armed].find(({ words }) => chunk.includes(words))
        if (due !== undefined) armed.delete(due)
        return due ?? null
      })
    },
  }
}

function joined(here: Socket, there: Socket, taken: (chunk: Buffer) => Armed | null): void {
  const kept: Buffer[] = []
  let held: Armed | null = null
  here.on('data', (chunk: Buffer) => {
    const before = held
    held ??= taken(chunk)
    if (held?.when !== 'asked') there.write(chunk)
    else kept.push(chunk)
    if (before === null && held?.when === 'asked') held.reached(heldAsk)
  })
  there.on('data', (chunk: Buffer) => {
    if (held === null) here.write(chunk)
    else if (held.when === 'answered') held.reached(heldAnswer)
  })
  // Whoever asked, or has answered, may be gone before what is held goes on.
  here.on('close', () => held ?? there.destroy())
  there.on('close', () => held ?? here.destroy())

  const drop = () => {
    here.destroy()
    there.destroy()
  }
  const heldAsk: Held = {
    drop,
    async deliver() {
      await new Promise<void>((resolve) => {
        const over = () => {
          resolve()
        }
        there.once('data', over)
        if (there.destroyed) over()
        else there.once('close', over)
        for (const chunk of kept) there.write(chunk)
      })
      drop()
    },
  }
  const heldAnswer: Held = {
    drop,
    deliver() {
      drop()
      return Promise.resolve()
    },
  }
}
