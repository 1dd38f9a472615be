/** openapi.yaml, as tests walk through it. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface Operation {
  readonly method: string
  /** `/v1/agents/{id}` */
  readonly path: string
  readonly security: readonly Readonly<Record<string, unknown>>[]
  readonly responses: ReadonlyMap<string, Tree>
  readonly request: { readonly media: string; readonly example: unknown } | null
  readonly description: string
  readonly parameters: readonly Parameter[]
}
export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly schema: Tree
}
export type Tree = Readonly<Record<string, unknown>>

const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as Tree

const METHODS = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete']

/** Every operation, its references resolved. */
export function operations(): Operation[] {
  const paths = tree(resolved(document['paths']))
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(tree(item))
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => operationOf(method, path, tree(operation))),
  )
}

function operationOf(method: string, path: string, operation: Tree): Operation {
  const content = Object.entries(tree(tree(operation['requestBody'])['content']))[0]
  const [media = '', body] = content ?? []
  return {
    ...{ method: method.toUpperCase(), path },
    security: operation['security'] as Operation['security'],
    responses: new Map(Object.entries(tree(operation['responses'])) as [string, Tree][]),
    request: content === undefined ? null : { media, example: tree(body)['example'] },
    description: (operation['description'] ?? '') as string,
    parameters: (operation['parameters'] ?? []) as Parameter[],
  }
}

/** The codes that a response may carry; none for an answer that is no refusal. */
export function codesOf(response: Tree): string[] {
  const bodies = Object.values(tree(response['content'])).map((it) => tree(tree(it)['schema']))
  return bodies.flatMap(({ allOf }) =>
    ((allOf ?? []) as Tree[]).flatMap((part) => {
      const { enum: codes } = tree(tree(part['properties'])['code'])
      return (codes ?? []) as string[]
    }),
  )
}

export function schemaOf(response: Tree | undefined, media: string): Tree | undefined {
  const content = tree(tree(response)['content'])
  return media in content ? tree(tree(content[media])['schema']) : undefined
}

/** A path with its parameter filled in. */
export function filled(path: string, id: string): string {
  return path.replace(/\{[a-z]+\}/g, id)
}

export const tree = (value: unknown): Tree => (value ?? {}) as Tree

function resolved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolved)
  if (typeof value !== 'object' || value === null) return value
  const { $ref: reference } = tree(value)
  if (typeof reference === 'string') return resolved(at(reference))
  return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, resolved(it)]))
}

function at(reference: string): unknown {
  let value: unknown = document
  for (const name of reference.split('/').slice(1)) value = tree(value)[name]
  return value
}
