/** How the command line speaks: a label, then one idea a line; secrets only where they were asked for. */
import type { Json } from '../domain/json.ts'

export interface Printer {
  /** `issued     select count(*) from orders` */
  line(label: string, text?: string): void
  json(value: Json): void
  /** Progress and warnings: never part of what is piped on. */
  note(text: string): void
}

const LABEL_COLUMNS = 11

export const printer: Printer = {
  line(label, text = '') {
    process.stdout.write(`${label.padEnd(LABEL_COLUMNS)}${text}`.trimEnd() + '\n')
  },
  json(value) {
    process.stdout.write(`${JSON.stringify(value)}\n`)
  },
  note(text) {
    process.stderr.write(`${text}\n`)
  },
}

/** What came from elsewhere is text: control and direction characters are shown as escapes. */
export function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
}
