/** What our own log may say of an error. What a database says can quote rows: of that, the code. */
export function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if ('severity' in error && 'code' in error) return `database ${String(error.code)}`
  return `${error.name}: ${error.message}`
}
