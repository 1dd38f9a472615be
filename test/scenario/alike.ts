/** Ids, times and hashes are of each call: their form is left, and what they are is not. */
export function alike(text: string): string {
  return text
    .replaceAll(/(masters?)[12]/g, '$1')
    .replaceAll(/\b([a-z]{3})_[0-9a-z]{26}/g, '$1_id')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, 'uuid')
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, 'time')
    .replaceAll(/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [^"]* GMT/g, 'date')
    .replaceAll(/"(args_hash|context_hash|facts_hash)":"[\w-]{43}"/g, '"$1":"hash"')
}

const NONCE = /^[\w-]{22}$/

/** All of an answer that whoever asked can see. */
export async function seenOf(response: Response) {
  // A nonce is the same for everybody, for some minutes.
  const headers = [...response.headers].map(([name, value]) =>
    name === 'dpop-nonce' && NONCE.test(value) ? [name, 'nonce'] : [name, alike(value)],
  )
  return { status: response.status, headers, told: alike(await response.text()) }
}
