/** YAML as a person can read it in one way only: no aliases, no tags, no repeated keys. */
import { LineCounter, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import type { Finding } from './findings.ts'

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly findings: readonly Finding[] }

/** Reads one file and holds it to a schema; every mistake is reported, with its line or its place. */
export function readYaml<T>(file: string, text: string, schema: z.ZodType<T>): Read<T> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, stringKeys: true })
  const found = [...document.errors, ...document.warnings].map(({ message, pos }) => {
    const [first = 'not YAML'] = message.split('\n')
    return mistake(file, `line ${String(lines.linePos(pos[0]).line)}: ${first}`)
  })
  visit(document, {
    Alias: () => {
      found.push(mistake(file, 'an alias (*name)', 'Write the value out.'))
    },
  })
  if (found.length > 0) return { ok: false, findings: found }

  const read = schema.safeParse(document.toJS({ maxAliasCount: 0 }))
  if (read.success) return { ok: true, value: read.data }
  const findings = read.error.issues.map((issue) => {
    const place = issue.path.length > 0 ? issue.path.map(String).join('.') : 'the file'
    const [inner] = issue.code === 'invalid_key' ? issue.issues : []
    return mistake(file, `${place}: ${inner?.message ?? issue.message}`)
  })
  return { ok: false, findings }
}

function mistake(file: string, what: string, fix = 'Mend it there.'): Finding {
  return { file, rule: null, what, fix }
}
