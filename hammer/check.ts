/**
 * The checker, a program of its own: node hammer/check.ts --journal f --database url --target url …
 * Reads the stable views (as procura_verify), the target, the journal and what was printed; asks no broker.
 */
import { Command } from 'commander'
import { check, NOT_CHECKED, tell, violationsIn } from './checking.ts'
import { checkVerifier } from './invariants/verifier.ts'
import { readJournal } from './journal.ts'
import { randomOf } from './random.ts'
import { look } from './snapshot.ts'

interface Options {
  readonly journal: string
  readonly database: string
  readonly target: string
  readonly log: readonly string[]
  readonly witness: readonly string[]
  readonly vkey?: string
  readonly origin?: string
  readonly mutations: string
  readonly seed: string
}

await new Command('check')
  .requiredOption('--journal <file>', 'of the driver')
  .requiredOption('--database <url>', 'of the brokers; the login may become procura_verify')
  .requiredOption('--target <url>', 'the database that is guarded')
  .option('--log <file...>', 'what replicas printed', [])
  .option('--witness <file...>', 'the files of checkpoints outside the database', [])
  .option('--vkey <key>', 'of the ledger; the verifier itself is tried with it')
  .option('--origin <name>', 'of the ledger')
  .option('--mutations <n>', 'of an export, each of which the verifier has to find', '1000')
  .option('--seed <n>', 'of the mutations', '1')
  .action(run)
  .parseAsync()

async function run(options: Options): Promise<void> {
  const { journal, database: databaseUrl, target: targetUrl, log, witness } = options
  const seen = await look({
    ...{ databaseUrl, targetUrl, journal: readJournal(journal), logFiles: log },
    witnessFiles: witness,
  })
  const findings = check(seen, 'calm')
  if (options.vkey !== undefined && options.origin !== undefined) {
    const { vkey, origin } = options
    const random = randomOf(Number(options.seed))
    findings.push(
      await checkVerifier(seen, { vkey, origin, random, mutations: Number(options.mutations) }),
    )
  }
  console.log(tell(findings))
  for (const [id, why] of NOT_CHECKED) console.log(`–  ${id.padEnd(4)} in part: ${why}`)
  const violations = violationsIn(findings).length
  console.log(`${String(findings.length)} invariants, ${String(violations)} violations`)
  process.exitCode = violations === 0 ? 0 : 1
}
