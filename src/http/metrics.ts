/** Counters and gauges as Prometheus reads them. */
import { type Counter, COUNTERS, type Meter } from '../domain/meter.ts'

const SERIES_MAX = 2000

export interface Gauge {
  readonly name: string
  readonly help: string
  readonly read: () => number
}

export interface Metrics extends Meter {
  /** Text exposition format 0.0.4. */
  exposition(): string
}

/** @param gauges read when asked for, so that nothing has to be kept up to date */
export function createMetrics(gauges: readonly Gauge[]): Metrics {
  const series = new Map<string, number>()
  return {
    count(name, labels = {}) {
      const key = name + labelsOf(labels)
      if (series.has(key) || series.size < SERIES_MAX) series.set(key, (series.get(key) ?? 0) + 1)
    },
    exposition() {
      const counters = Object.entries(COUNTERS).flatMap(([name, help]) => [
        ...headOf(name, help, 'counter'),
        ...linesOf(name as Counter, series),
      ])
      const read = gauges.flatMap(({ name, help, read }) => [
        ...headOf(name, help, 'gauge'),
        `${name} ${String(read())}`,
      ])
      return [...counters, ...read, ''].join('\n')
    },
  }
}

const headOf = (name: string, help: string, type: string) => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
]

function linesOf(name: Counter, series: ReadonlyMap<string, number>): string[] {
  const mine = [...series].filter(([key]) => key === name || key.startsWith(`${name}{`))
  return mine.length > 0 ? mine.map(([key, value]) => `${key} ${String(value)}`) : [`${name} 0`]
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length > 0 ? `{${pairs.join(',')}}` : ''
}

const escaped = (value: string) =>
  value.replace(/[\\"\n]/g, (it) => (it === '\n' ? '\\n' : `\\${it}`))
