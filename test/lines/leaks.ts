/** G5: what must stay secret is in no output and in no table, in no spelling. */
import { expect } from 'vitest'
import type { TwoBrokers } from './world.ts'

/** Where it is looked. */
export interface Places {
  readonly brokers: readonly Pick<TwoBrokers['brokers'][number], 'stdout' | 'stderr'>[]
  readonly database: Pick<TwoBrokers['database'], 'query'>
}

/** Of very many signatures, these are enough: they are all treated alike. */
const LOOKED_FOR = 500

/** @param signatures of what was sent and answered, of which some are looked for */
export async function checkLeaks(
  two: Places,
  secrets: ReadonlySet<string>,
  signatures: ReadonlySet<string> = new Set(),
): Promise<void> {
  const places = { ...outputs(two), ...(await dump(two)) }
  const step = Math.max(1, Math.floor(signatures.size / LOOKED_FOR))
  for (const secret of [...secrets, ...[...signatures].filter((_, n) => n % step === 0)]) {
    for (const spelling of spellingsOf(secret)) {
      for (const [place, text] of Object.entries(places)) {
        expect(text.includes(spelling), `[G5] a secret in ${place}`).toBe(false)
      }
    }
  }
}

function outputs({ brokers }: Places): Record<string, string> {
  return {
    stdout: brokers.map(({ stdout }) => stdout()).join(''),
    stderr: brokers.map(({ stderr }) => stderr()).join(''),
  }
}

/** Every row of every table, as text. */
async function dump({ database }: Places): Promise<Record<string, string>> {
  const tables = await database.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname in ('procura', 'ledger')`,
  )
  const places: Record<string, string> = {}
  for (const { name } of tables) {
    const rows = await database.query<{ row: string }>(`select t::text as row from ${name} t`)
    places[name] = rows.map(({ row }) => row).join('\n')
  }
  return places
}

function spellingsOf(secret: string): string[] {
  const octets = Buffer.from(secret)
  const [raw, decoded] = [octets, Buffer.from(secret, 'base64url')]
  const inHexAndBase64 = [raw, decoded].flatMap((it) => [
    ...[it.toString('hex'), it.toString('base64').replace(/=+$/, '')],
    it.toString('base64url'),
  ])
  return [...new Set([secret, encodeURIComponent(secret), ...inHexAndBase64])]
}
