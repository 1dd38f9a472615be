/** Mixed load and no faults: memory, descriptors and the event loop's delay stay where they were. */
import { readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { runChecker } from './final.ts'
import { randomOf } from './random.ts'
import { setStage, type Stage, untilCalm } from './stage.ts'
import { percentile, startStream } from './stream.ts'
import { watch } from './watcher.ts'

const SAMPLE_MS = 5000
/** Samples between two words of how it goes. */
const TOLD_EACH = 6
/** What is loaded once, is compiled and fills its caches is no growth. */
const WARM_UP_SHARE = 0.3
/** A run is flat when from its second third to its last nothing has grown by more. */
const RSS_MB_MAX = 20
const RSS_SHARE_MAX = 0.05
const DESCRIPTORS_MAX = 10

interface Sample {
  readonly seconds: number
  readonly rssMb: number
  readonly heapMb: number
  /** What V8 has taken for its heap. */
  readonly takenMb: number
  /** What its objects hold outside of that: buffers, and memory of wasm, whether or not it is resident. */
  readonly outsideMb: number
  readonly descriptors: number
  readonly delayMs: number
}

export interface Soaking {
  readonly minutes: number
  readonly rate: number
}

/** @returns whether it was flat, and everything held */
export async function runSoak({ minutes, rate }: Soaking): Promise<boolean> {
  const stage = await setStage(1)
  try {
    const watcher = watch(stage.world, stage.journal, randomOf(1))
    const stream = startStream(stage, rate, 1)
    const samples = await sampled(stage, minutes * 60_000)
    const { begun, skipped, latencies, errors } = await stream.stop()
    await watcher.stop()
    await untilCalm(stage)
    const { inclusion, consistency } = watcher.proven
    console.log(table(samples))
    console.log(`${String(begun)} stories at ${String(rate)}/s, ${String(skipped)} not begun`)
    const [p50, p99] = [0.5, 0.99].map((share) => percentile(latencies, share).toFixed(0))
    console.log(`a story, from when it was due: p50 ${String(p50)} ms, p99 ${String(p99)} ms`)
    console.log(
      `${String(inclusion)} inclusions, ${String(consistency)} consistencies proven meanwhile`,
    )
    const amiss = [...grown(samples), ...watcher.violations, ...errors.map(String)]
    for (const text of amiss) console.log(`✗ ${text}`)
    if (stage.supervisor.restarts() > 0) console.log('✗ the broker died')
    return (await runChecker(stage)) && amiss.length === 0 && stage.supervisor.restarts() === 0
  } finally {
    await stage.stop()
  }
}

async function sampled({ world }: Stage, ms: number): Promise<Sample[]> {
  const samples: Sample[] = []
  const since = performance.now()
  while (performance.now() - since < ms) {
    await pause(SAMPLE_MS)
    const broker = world.replicas[0]?.broker()
    if (broker === undefined) throw new RangeError('there is no replica')
    const { rss, heapUsed, heapTotal, external, loopDelayMs } = await broker.measure()
    samples.push({
      seconds: Math.round((performance.now() - since) / 1000),
      ...{ rssMb: mb(rss), heapMb: mb(heapUsed), takenMb: mb(heapTotal), outsideMb: mb(external) },
      delayMs: loopDelayMs.p99,
      descriptors: readdirSync(`/proc/${String(broker.pid)}/fd`).length,
    })
    const sample = samples.at(-1)
    if (sample !== undefined && samples.length % TOLD_EACH === 0) {
      const measures = MEASURES.map((name) => `${name} ${sample[name].toFixed(0)}`).join(', ')
      console.error(`${String(sample.seconds)} of ${String(ms / 1000)} s: ${measures}`)
    }
  }
  return samples
}

const MEASURES = [
  ...(['rssMb', 'heapMb', 'takenMb', 'outsideMb'] as const),
  ...(['descriptors', 'delayMs'] as const),
]
type Measure = (typeof MEASURES)[number]

const mb = (octets: number) => octets / 2 ** 20

/** A dozen of the samples, and the slope of each column. */
function table(samples: readonly Sample[]): string {
  const every = Math.max(1, Math.ceil(samples.length / 12))
  const shown = samples.filter((_, n) => n % every === 0 || n === samples.length - 1)
  const row = (cells: readonly (string | number)[]) =>
    cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(1) : cell).padStart(12)).join('')
  return [
    row(['seconds', ...MEASURES]),
    ...shown.map((sample) => row([sample.seconds, ...MEASURES.map((name) => sample[name])])),
    row(['a minute', ...MEASURES.map((name) => slope(warm(samples), name))]),
  ].join('\n')
}

const warm = (samples: readonly Sample[]) =>
  samples.slice(Math.floor(samples.length * WARM_UP_SHARE))

/** Least squares, a minute. */
function slope(samples: readonly Sample[], name: Measure): number {
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const [time, value] = [mean(({ seconds }) => seconds), mean((sample) => sample[name])]
  const along = samples.reduce((sum, it) => sum + (it.seconds - time) * (it[name] - value), 0)
  const across = samples.reduce((sum, it) => sum + (it.seconds - time) ** 2, 0)
  return across === 0 ? 0 : (along / across) * 60
}

function grown(samples: readonly Sample[]): string[] {
  const own = warm(samples)
  const half = Math.floor(own.length / 2)
  const median = (part: readonly Sample[], name: Measure) =>
    percentile(
      part.map((sample) => sample[name]),
      0.5,
    )
  const by = (name: Measure) => median(own.slice(half), name) - median(own.slice(0, half), name)
  const rssMost = Math.max(RSS_MB_MAX, median(own.slice(0, half), 'rssMb') * RSS_SHARE_MAX)
  return [
    ...(by('rssMb') > rssMost ? [`memory grew by ${by('rssMb').toFixed(0)} MB`] : []),
    ...(by('descriptors') > DESCRIPTORS_MAX
      ? [`descriptors grew by ${String(by('descriptors'))}`]
      : []),
  ]
}
