/** Loaded into a broker before its own code: the first is an hour behind, the second an hour ahead. */
const HOUR_MS = 3_600_000
const isFirst = /\/one\//.test(process.env['PROCURA_CHECKPOINTS'] ?? '')
const shift = isFirst ? -HOUR_MS : HOUR_MS
const Real = Date
const now = () => Real.now() + shift

class Shifted extends Real {
  constructor(...given: [] | [number | string | Date]) {
    super(...((given.length === 0 ? [now()] : given) as [number]))
  }
  static override now(): number {
    return now()
  }
}
globalThis.Date = Shifted as DateConstructor
