/** Running until somebody says stop. */

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process without more ado. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      for (const name of SIGNALS) process.off(name, stop)
      resolve(signal)
    }
    for (const name of SIGNALS) process.on(name, stop)
  })
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Undoes what was done, newest first, and goes on where one of them fails; the first error is told. */
export function createUndo() {
  const steps: (() => Promise<void>)[] = []
  return {
    push(step: () => Promise<void>) {
      steps.push(step)
    },
    async run(): Promise<void> {
      const errors: unknown[] = []
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
        await step().catch((error: unknown) => errors.push(error))
      }
      if (errors.length > 0) throw errors[0]
    },
  }
}
