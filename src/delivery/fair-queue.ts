/**
 * Who is next where there is no room for all at once: in turn between those who ask, however much each
 * of them asks for, and first come first served for one of them. It is told the time, and has no timers.
 */

export interface Room {
  /** At once. */
  readonly places: number
  /** Of those, one asker's at most. */
  readonly placesEach: number
  /** How many may wait, and for how many milliseconds. */
  readonly waiting: number
  readonly waitMs: number
  /** Who waits here and elsewhere; left out: nobody else counts. */
  readonly waiters?: Waiters
  /** Begun in a second, and at once after a rest; `null`: as soon as there is a place. */
  readonly rate: { readonly perSecond: number; readonly burst: number } | null
}

/** Those who wait in any of several queues. */
export interface Waiters {
  /** Once for each queue: how many wait in it now. */
  join(count: () => number): void
  isTooMany(): boolean
}

/** @param most of all queues together */
export function createWaiters(most: number): Waiters {
  const counts: (() => number)[] = []
  return {
    join(count) {
      counts.push(count)
    },
    isTooMany: () => counts.reduce((sum, count) => sum + count(), 0) > most,
  }
}

/** Told apart by identity: each is asked for once. */
export interface Asked {
  readonly by: string
}

/** What follows, in the order that it is to happen. */
export interface Change<T> {
  readonly begun: readonly T[]
  readonly refused: readonly T[]
}

/** Times are milliseconds on one clock, whichever that is. */
export interface FairQueue<T extends Asked> {
  /**
   * Begun at once, later or never. Between two turns of one asker everybody else who waits, and has
   * not their share of the places, gets one. Where too many wait, the last of those who wait with most
   * is refused, and nobody for one who asks for as much.
   */
  enqueue(one: T, now: number): Change<T>
  /** Done, or not waited for any more. */
  over(one: T, now: number): Change<T>
  tick(now: number): Change<T>
  /** When `tick` is due, at the latest; `Infinity`: not before something else happens. */
  dueAt(): number
  /** In how many milliseconds the rate would let one more through who asks now. */
  backInMs(): number
}

/** Whoever has the last turn of those must not come too late for being told a little late. */
const SURELY = 0.9

interface Waiting<T> {
  readonly one: T
  readonly until: number
}

export function createFairQueue<T extends Asked>(room: Room): FairQueue<T> {
  const lines = createLines<T>()
  const begun = new Set<T>()
  const bucket = createBucket(room.rate)
  room.waiters?.join(() => lines.count())

  const hasShare = (by: string) =>
    [...begun].filter((one) => one.by === by).length < room.placesEach
  const next = () => (begun.size < room.places ? lines.next(hasShare) : undefined)

  function begin(): T[] {
    const some: T[] = []
    for (let by = next(); by !== undefined && bucket.take(); by = next()) {
      const one = lines.shift(by)
      begun.add(one)
      some.push(one)
    }
    return some
  }

  /** Who has waited for too long is not begun any more, should it be told late. */
  function advance(now: number): Change<T> {
    bucket.fill(now)
    const refused = lines.remove(({ until }) => until <= now)
    return { refused, begun: begin() }
  }

  /** More than may wait, or than the rate would surely let through while they do. */
  function surplus(by: string): T[] {
    const inTime = bucket.within(room.waitMs * SURELY)
    const isRoom = lines.count() <= Math.min(room.waiting, inTime)
    if (isRoom && room.waiters?.isTooMany() !== true) return []
    const last = lines.longest(by).at(-1)
    return lines.remove((waiting) => waiting === last)
  }

  return {
    enqueue(one, now) {
      lines.add({ one, until: now + room.waitMs })
      const { begun: some, refused } = advance(now)
      return { begun: some, refused: [...refused, ...surplus(one.by)] }
    },
    over(one, now) {
      begun.delete(one)
      lines.remove((waiting) => waiting.one === one)
      return advance(now)
    },
    tick: advance,
    dueAt: () => Math.min(next() === undefined ? Infinity : bucket.fullAt(), lines.endsAt()),
    backInMs: () => bucket.msUntil(lines.count() + 1),
  }
}

/** Who waits: a line for each who asked, in the order of their turns. None is empty. */
function createLines<T extends Asked>() {
  const lines = new Map<string, readonly Waiting<T>[]>()
  const set = (by: string, line: readonly Waiting<T>[]) => {
    if (line.length > 0) lines.set(by, line)
    else lines.delete(by)
  }
  return {
    add(waiting: Waiting<T>): void {
      const { by } = waiting.one
      set(by, [...(lines.get(by) ?? []), waiting])
    },
    /** Whose turn it is, of those who may have one. */
    next: (mayHave: (by: string) => boolean) => [...lines.keys()].find(mayHave),
    /** Their first; their next turn comes after everybody else's. */
    shift(by: string): T {
      const [first, ...rest] = lines.get(by) ?? []
      if (first === undefined) throw new TypeError('nobody of that name waits')
      lines.delete(by)
      set(by, rest)
      return first.one
    },
    remove(isGone: (waiting: Waiting<T>) => boolean): T[] {
      const gone = [...lines.values()].flat().filter(isGone)
      for (const [by, line] of lines) {
        if (gone.length > 0)
          set(
            by,
            line.filter((it) => !gone.includes(it)),
          )
      }
      return gone.map(({ one }) => one)
    },
    count: () => [...lines.values()].flat().length,
    /** Theirs, where there are several. */
    longest: (by: string) =>
      [...lines.values()].reduce((a, b) => (b.length > a.length ? b : a), lines.get(by) ?? []),
    endsAt: () => Math.min(...[...lines.values()].map(([first]) => first?.until ?? Infinity)),
  }
}

/** What the rate has left. Without one there is always something. */
function createBucket(rate: Room['rate']) {
  const { perSecond, burst } = rate ?? { perSecond: 0, burst: Infinity }
  let [tokens, at] = [burst, 0]
  const msUntil = (wanted: number) =>
    rate === null ? 0 : Math.max(0, ((wanted - tokens) / perSecond) * 1000)
  return {
    fill(now: number): void {
      tokens = Math.min(burst, tokens + (Math.max(0, now - at) / 1000) * perSecond)
      at = now
    },
    take(): boolean {
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
    /** How many it will have let through before that time is over. */
    within: (ms: number) => Math.ceil(tokens + (ms / 1000) * perSecond) - 1,
    msUntil,
    /** When there is one. */
    fullAt: () => at + msUntil(1),
  }
}
