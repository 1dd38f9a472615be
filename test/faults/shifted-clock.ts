/** Preloaded into a broker: the clock of its machine is off by `FAULT_CLOCK_MS`, and SIGUSR2 sets it an hour on. */
const STEP_MS = 3_600_000

const RealDate = Date
let offsetMs = Number(process.env['FAULT_CLOCK_MS'] ?? '0')
process.on('SIGUSR2', () => {
  offsetMs += STEP_MS
})

const shifted = () => RealDate.now() + offsetMs
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [shifted()] : args, newTarget) as object,
  get: (target, name) => (name === 'now' ? shifted : (Reflect.get(target, name) as unknown)),
})
