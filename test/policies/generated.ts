import { readCatalogue } from '../../src/policy/catalogue.ts'
import { readFolder } from '../../src/policy/folder.ts'
import { loadGrammar } from '../../src/policy/grammar.ts'
import { cedarSchema } from '../../src/policy/schema.ts'

/** The schema that follows from the tools as they are in the folder. */
export async function generatedSchema(): Promise<string> {
  const { catalogue } = readCatalogue(await readFolder('policies'), await loadGrammar())
  return cedarSchema(catalogue).text
}
