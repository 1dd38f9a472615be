/** What is wrong with a value that somebody configured, told so that it can be mended. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Which key, what is wrong with its value (never the value), what a right one looks like. */
export interface Mistake {
  readonly key: string
  readonly problem: string
  readonly example: string
}

/** The text of a file that a setting names; a mistake is noted where it cannot be read. */
export function readText(file: string, key: string, mistakes: Mistake[]): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    const problem = `the file ${file} cannot be read (${why})`
    mistakes.push({ key, problem, example: join(dirname(file), 'a file that exists') })
    return undefined
  }
}
