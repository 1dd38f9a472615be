/** Loaded into a broker before its own code: on SIGUSR2 it tells how long the loop was held, and its memory. */
import { writeFileSync } from 'node:fs'

const TICK_MS = 20
const file = process.env['LINES_METER'] ?? ''

// Held by us, not waiting for a processor that others have: wall time counts only as far as this thread
// used CPU. Those that compile and collect beside it hold nothing.
let heldMs = 0
let [wall, cpu] = [performance.now(), process.threadCpuUsage()]
setInterval(() => {
  const { user, system } = process.threadCpuUsage(cpu)
  heldMs = Math.max(heldMs, Math.min(performance.now() - wall - TICK_MS, (user + system) / 1000))
  ;[wall, cpu] = [performance.now(), process.threadCpuUsage()]
}, TICK_MS).unref()

let asked = 0
process.on('SIGUSR2', () => {
  asked += 1
  const { rss } = process.memoryUsage()
  writeFileSync(file, JSON.stringify({ asked, pid: process.pid, heldMs: Math.round(heldMs), rss }))
  heldMs = 0
})
