/** Writes policies/schema.cedarschema, as a person writing rules wants to read it. */
import { writeFile } from 'node:fs/promises'
import { generatedSchema } from './generated.ts'

await writeFile('policies/schema.cedarschema', await generatedSchema())
