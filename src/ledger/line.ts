/**
 * Where the sides of one process wait before they ask for the turn: while one has it, what the next
 * will record gathers, and is recorded together. Between processes the database's lock decides.
 */

/** A courtesy, and no lock: whoever has waited that long goes on, and waits for the turn itself. */
const PATIENCE_MS = 100

export interface Line {
  /** Resolves when whoever came before has left, with what must be called to leave; more than once does nothing. */
  enter(): Promise<() => void>
}

export function createLine(): Line {
  const waiting: (() => void)[] = []
  let inside = 0

  function leave(): void {
    inside -= 1
    if (inside === 0) waiting.shift()?.()
  }

  return {
    enter: () =>
      new Promise((resolve) => {
        const go = () => {
          clearTimeout(late)
          inside += 1
          resolve(once(leave))
        }
        const late = setTimeout(() => {
          waiting.splice(waiting.indexOf(go), 1)
          go()
        }, PATIENCE_MS)
        if (inside === 0) go()
        else waiting.push(go)
      }),
  }
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) work()
    isDone = true
  }
}
