/** A fair queue as those who ask see it: a promise of a turn, or a refusal. The queue's only clock and timer. */
import { type Change, createFairQueue, type Room } from './fair-queue.ts'

/** Whose turn it is to be, and for what. */
export interface For {
  readonly sponsor: string
  readonly lease: string
}

export interface Turn {
  readonly waitedMs: number
  /** To be called when it is over. */
  readonly end: () => void
}

export interface Turns {
  /**
   * A lease has one turn, however many try it at once: all but one of them are about to be told that it
   * is spent.
   *
   * @throws Error the refusal, where no turn is to be had within two seconds, or the signal fires first
   */
  take(of: For, signal: AbortSignal): Promise<Turn>
}

/** One lease's, for all who try it. */
interface Ticket {
  readonly by: string
  /** `false`: refused. */
  readonly settled: Promise<boolean>
  readonly settle: (isBegun: boolean) => void
  isBegun: boolean
  users: number
}

export interface TurnsOptions {
  readonly refusal: (retryAfterSeconds: number) => Error
  /** Told how each turn was come by. */
  readonly count?: (outcome: 'at_once' | 'waited' | 'refused') => void
  /** A monotonic clock, in milliseconds. */
  readonly elapsed?: () => number
}

export function createTurns(room: Room, options: TurnsOptions): Turns {
  const { refusal, count, elapsed = () => performance.now() } = options
  const queue = createFairQueue<Ticket>(room)
  const tickets = new Map<string, Ticket>()
  let timer: NodeJS.Timeout | undefined

  function follow({ begun, refused }: Change<Ticket>): void {
    for (const ticket of begun) ticket.settle(true)
    for (const ticket of refused) ticket.settle(false)
    clearTimeout(timer)
    const due = queue.dueAt()
    if (due === Infinity) return
    const look = () => {
      follow(queue.tick(elapsed()))
    }
    timer = setTimeout(look, Math.max(1, Math.ceil(due - elapsed())))
  }

  function ticketFor({ sponsor, lease }: For): Ticket {
    const found = tickets.get(lease)
    if (found !== undefined) return found
    const ticket = createTicket(sponsor)
    tickets.set(lease, ticket)
    follow(queue.enqueue(ticket, elapsed()))
    return ticket
  }

  function leave(ticket: Ticket, lease: string): void {
    ticket.users -= 1
    if (ticket.users > 0) return
    tickets.delete(lease)
    follow(queue.over(ticket, elapsed()))
  }

  return {
    async take(of, signal) {
      const since = elapsed()
      const ticket = ticketFor(of)
      ticket.users += 1
      const isAtOnce = ticket.isBegun
      const isBegun = isAtOnce || (await Promise.race([ticket.settled, aborted(signal)]))
      if (!isBegun) {
        count?.('refused')
        const seconds = Math.max(1, Math.ceil(queue.backInMs() / 1000))
        leave(ticket, of.lease)
        throw refusal(seconds)
      }
      count?.(isAtOnce ? 'at_once' : 'waited')
      const end = () => {
        leave(ticket, of.lease)
      }
      return { waitedMs: elapsed() - since, end }
    },
  }
}

function createTicket(by: string): Ticket {
  let tell: (isBegun: boolean) => void = () => undefined
  const settled = new Promise<boolean>((resolve) => {
    tell = resolve
  })
  const ticket: Ticket = {
    ...{ by, settled, isBegun: false, users: 0 },
    settle(isBegun) {
      ticket.isBegun = isBegun
      tell(isBegun)
    },
  }
  return ticket
}

const aborted = (signal: AbortSignal) =>
  new Promise<false>((resolve) => {
    const tell = () => {
      resolve(false)
    }
    if (signal.aborted) tell()
    else signal.addEventListener('abort', tell, { once: true })
  })
