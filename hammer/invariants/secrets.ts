/** Where delivered secrets are not: in what brokers print, in the ledger. Known by their hashes only. */
import { sha256 } from '../journal.ts'
import type { Snapshot } from '../snapshot.ts'
import { type Check, delivered, each } from './finding.ts'

export const SECRETS: readonly Check[] = [
  {
    ...{ id: 'I11', says: 'secrets are in the answer, and nowhere else', when: 'always' },
    look(seen) {
      const secrets = new Map(delivered(seen).map((line) => [line.secret, line.credential]))
      return each(textsOf(seen), ({ name, text }) => {
        const found = spellings(text).find((spelling) => secrets.has(sha256(spelling)))
        const of = found === undefined ? null : secrets.get(sha256(found))
        return of === null ? null : `the secret of ${String(of)} is in ${name}`
      })
    },
  },
]

function textsOf({ printed, leaves }: Snapshot) {
  return [
    ...printed.map((text, at) => ({ name: `what replica ${String(at)} printed`, text })),
    ...leaves.map(({ seq, entry }) => ({ name: `entry ${String(seq)}`, text: entry })),
  ]
}

/** Every long run of characters that may be a secret: as it stands, and read as base64, hex and a URL. */
function spellings(text: string): string[] {
  const runs = new Set(text.match(/[A-Za-z0-9_.~%+/=-]{40,}/g) ?? [])
  return [...runs].flatMap((run) => [
    ...[run, decodedUrl(run), Buffer.from(run, 'base64').toString('latin1')],
    ...(/^[0-9a-f]+$/i.test(run) ? [Buffer.from(run, 'hex').toString('latin1')] : []),
  ])
}

function decodedUrl(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_all, code: string) =>
    String.fromCharCode(parseInt(code, 16)),
  )
}
