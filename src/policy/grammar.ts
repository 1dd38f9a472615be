/** PostgreSQL's own parser (docs/adr/0002), and what it takes to live with it. */
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { parseTrusted } from '../domain/json.ts'
import type { Parse } from './facts/sql.ts'

/** The members of the compiled parser that we use, as emscripten exports them. */
interface Parser {
  _malloc(bytes: number): number
  _free(address: number): void
  _wasm_parse_query_raw(text: number): number
  _wasm_free_parse_result(result: number): void
  lengthBytesUTF8(text: string): number
  stringToUTF8(text: string, address: number, bytes: number): void
  UTF8ToString(address: number): string
  getValue(address: number, type: 'i32'): number
}
type Make = (options: object) => Promise<Parser>

/**
 * Loads the parser once. A text that is nested too deep overflows the stack inside it and leaves the
 * instance damaged: after some dozens, or one, every text fails. So an instance that failed in any way
 * but by reporting an error is never used again; a spare takes its place, and a new spare is made.
 */
export async function loadGrammar(): Promise<Parse> {
  const make = maker()
  let current: Parser | null = await make()
  let spare: Parser | null = await make()

  function replace(): void {
    current = spare
    spare = null
    make().then(
      (fresh) => {
        if (current === null) current = fresh
        else spare = fresh
      },
      () => undefined, // Without an instance every text is opaque.
    )
  }

  return (sql) => {
    if (current === null || sql === '') return null
    try {
      return treeOf(current, sql)
    } catch {
      replace()
      return null
    }
  }
}

/** The tree, or `null` for a text that is not SQL. Throws when the instance is not to be trusted. */
function treeOf(parser: Parser, sql: string): unknown {
  const bytes = parser.lengthBytesUTF8(sql) + 1
  const text = parser._malloc(bytes)
  parser.stringToUTF8(sql, text, bytes)
  const result = parser._wasm_parse_query_raw(text)
  if (result === 0) throw new Error('the parser is out of memory')
  const [tree, , error] = [0, 4, 8].map((offset) => parser.getValue(result + offset, 'i32'))
  const json = error === 0 && tree !== undefined && tree !== 0 ? parser.UTF8ToString(tree) : null
  parser._wasm_free_parse_result(result)
  parser._free(text)
  return json === null ? null : parseTrusted(json)
}

/** Compiles once; each instance after that takes two milliseconds. */
function maker(): () => Promise<Parser> {
  const { resolve } = createRequire(import.meta.url)
  const factory = createRequire(import.meta.url)(PARSER) as Make
  const compiled = new WebAssembly.Module(readFileSync(resolve(`${PARSER.slice(0, -3)}.wasm`)))
  return () =>
    factory({
      instantiateWasm(imports: object, done: (instance: object, module: object) => void) {
        const instance = new WebAssembly.Instance(compiled, imports)
        done(instance, compiled)
        return instance.exports
      },
    })
}

const PARSER = 'libpg-query/wasm/libpg-query.js'

/** As much of it as is used here; the compiler's library has it for browsers only. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { readonly exports: object }
}
