/** What is counted for operators. Labels are closed unions: no id, name or token is ever one. */

export const COUNTERS = {
  procura_requests_total: 'Requests answered, by route and status class',
  procura_decisions_total: 'Decisions recorded, by answer and by what evaluated them',
  procura_policy_differences_total: 'Times that compiled rules and Cedar gave different answers',
  procura_refusals_total: 'Calls refused before a decision, by code',
  procura_credentials_issued_total: 'Credentials delivered, by connector',
  procura_credentials_failed_total: 'Mints that failed, by connector',
  procura_credentials_ended_total: 'Leases ended, by reason',
  procura_proxied_calls_total: 'Calls made through the broker, by what came of them',
  procura_revoke_retries_total: 'Tries to end a credential that its target did not confirm',
  procura_peer_questions_total: 'Questions between the two processes, by question and outcome',
  procura_canaries_tripped_total: 'Canaries that somebody touched, by kind',
  procura_target_turns_total: 'Turns at a target, by target and by how they were come by',
  procura_orphans_total: 'Logins found at a target without a lease',
} as const
export type Counter = keyof typeof COUNTERS

export interface Meter {
  count(name: Counter, labels?: Readonly<Record<string, string>>): void
}
