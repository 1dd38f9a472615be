/** Loaded into a broker before its own code: on the way out it tells how locked it was. */

process.on('exit', () => {
  const tries: Readonly<Record<string, () => unknown>> = {
    pollutesObjects: () => Reflect.set(Object.prototype, 'isAdmin', true),
    replacesToString: () => Reflect.set(Object.prototype, 'toString', () => 'x'),
    pollutesArrays: () => Reflect.defineProperty(Array.prototype, '7', { value: 'x' }),
    replacesThen: () => Reflect.set(Promise.prototype, 'then', () => 'x'),
    reachesThroughProto: () => '__proto__' in {},
    makesCodeOfText: () => typeof Reflect.construct(Function, ['return 1']) === 'function',
  }
  const done = Object.entries(tries).filter(([, attempt]) => succeeds(attempt))
  process.stderr.write(`${JSON.stringify({ possible: done.map(([name]) => name) })}\n`)
})

function succeeds(attempt: () => unknown): boolean {
  try {
    return attempt() === true
  } catch {
    return false // What throws did not happen: that is what is asked.
  }
}
