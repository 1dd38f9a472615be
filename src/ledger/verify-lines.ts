/** An export as lines of text, in bounded memory. */

/** The longest leaf, escaped in the worst way, and its hash. */
const OCTETS_MAX = 262_144

/**
 * Splits at line feeds and at nothing else: `node:readline` would also split at U+2028, which a leaf
 * may have. A line that is not UTF-8 comes out empty, which no line of an export is. Throws
 * `RangeError` for a line that is longer than any could be.
 */
export async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0)
  for await (const octets of input) {
    const piece = Buffer.concat([rest, octets])
    let start = 0
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, start)) {
      yield textOf(piece.subarray(start, end))
      start = end + 1
    }
    rest = piece.subarray(start)
    if (rest.length > OCTETS_MAX) throw new RangeError('a line is too long')
  }
  if (rest.length > 0) yield textOf(rest)
}

function textOf(line: Uint8Array): string {
  try {
    return utf8.decode(line)
  } catch {
    return ''
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const LINE_FEED = 0x0a
