/**
 * The parent of the embedded Postgres: a process that ends it as soon as the broker is gone, however
 * it went, and then ends itself. The broker holds the other end of our input; a `kill -9` closes it.
 *
 * Arguments: uid and gid to run as (empty: our own), the program, its arguments.
 */
import { spawn } from 'node:child_process'
import { CLEAN } from './owner.ts'

const FAST_SECONDS = 30 // Then SIGQUIT: the next start recovers from the log.

const [uid = '', gid = '', program = '', ...args] = process.argv.slice(2)
const postgres = spawn(program, args, {
  ...CLEAN,
  ...(uid === '' ? {} : { uid: Number(uid), gid: Number(gid) }),
  stdio: ['ignore', process.stderr, process.stderr],
})
process.stdout.on('error', end).write(`${String(postgres.pid ?? '')}\n`)
process.stdin.on('close', end).on('error', end).resume()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
postgres.on('exit', (code) => process.exit(code ?? 1))
postgres.on('error', (error) => {
  process.stderr.write(`FATAL:  ${error.message}\n`)
  process.exit(1)
})

function end(): void {
  postgres.kill('SIGINT')
  setTimeout(() => postgres.kill('SIGQUIT'), FAST_SECONDS * 1000).unref()
}
