/** Pure: `like`, whose only wildcard is `*`. Time grows with the text, never with the ways to match it. */
import type { PatternElem } from '@cedar-policy/cedar-wasm/nodejs'

/** Whether the whole of a text fits a pattern. */
export function isLike(pattern: readonly PatternElem[]): (text: string) => boolean {
  const [first = '', ...rest] = piecesOf(pattern)
  const last = rest.pop()
  if (last === undefined) return (text) => text === first
  return (text) => {
    const end = text.length - last.length
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false
    // Each piece where it comes first: what is left for the others is then longest.
    let at = first.length
    for (const piece of rest) {
      const found = text.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return at <= end
  }
}

/** The texts between the wildcards, in order: one more than there are wildcards. */
function piecesOf(pattern: readonly PatternElem[]): string[] {
  const pieces: string[] = []
  let piece = ''
  for (const element of pattern) {
    if (element !== 'Wildcard') piece += element.Literal
    else {
      pieces.push(piece)
      piece = ''
    }
  }
  return [...pieces, piece]
}
