/** Pure: the words of a policy set: which values its rules compare an attribute with. */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { type Uid, uidFrom } from './compile-values.ts'

export interface Words {
  /** Texts and numbers that stand beside an attribute of this name, or anywhere if none does. */
  readonly texts: (attribute: string) => readonly string[]
  readonly wholes: (attribute: string) => readonly number[]
  readonly uids: (type: string) => readonly Uid[]
}

interface Found {
  readonly texts: Set<string>
  readonly wholes: Set<number>
  readonly uids: Uid[]
}

/** Requests that are made of these words come near to what rules tell apart. */
export function wordsOf(policies: readonly PolicyJson[]): Words {
  const all = nothing()
  gather(policies, all)
  for (const text of FOREIGN) all.texts.add(text)
  for (const whole of [0, 1, -1, 1000, -9007199254740991, 9007199254740991]) all.wholes.add(whole)
  const beside = new Map<string, Found>()
  for (const { conditions } of policies) associate(conditions, beside)
  const near = (attribute: string) => beside.get(attribute) ?? nothing()
  return {
    texts: (attribute) => someOf(near(attribute).texts, all.texts),
    wholes: (attribute) => someOf(near(attribute).wholes, all.wholes),
    uids: (type) => all.uids.filter((uid) => uid.type === type),
  }
}

const someOf = <Word>(own: ReadonlySet<Word>, all: ReadonlySet<Word>) => [
  ...(own.size > 0 ? own : all),
]
const nothing = (): Found => ({ texts: new Set(), wholes: new Set(), uids: [] })
const FOREIGN = ['', 'x', '*', 'é😀', '__entity', 'constructor', 'a\0b']

/** `context.purpose like "support.*"`: what stands in one comparison belongs together. */
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>=', '+', '-', '*', 'like', 'in']
const ABOUT_SETS = ['contains', 'containsAll', 'containsAny']

function associate(node: unknown, beside: Map<string, Found>): void {
  if (typeof node !== 'object' || node === null) return
  for (const [name, operand] of Object.entries(node) as [string, unknown][]) {
    if (COMPARISONS.includes(name) || ABOUT_SETS.includes(name)) {
      const words = nothing()
      gather(operand, words)
      for (const attribute of attributesIn(operand)) {
        const known = beside.get(attribute) ?? nothing()
        for (const text of words.texts) known.texts.add(text)
        for (const whole of words.wholes) known.wholes.add(whole)
        beside.set(attribute, known)
      }
    } else associate(operand, beside)
  }
}

function gather(node: unknown, found: Found): void {
  if (typeof node !== 'object' || node === null) return
  if ('pattern' in node && Array.isArray(node.pattern)) addPattern(node.pattern, found)
  const uid = uidFrom(node as never)
  if (uid) found.uids.push(uid)
  for (const [name, operand] of Object.entries(node) as [string, unknown][]) {
    if (name === 'Value' && typeof operand === 'string') addText(operand, found)
    else if (name === 'Value' && typeof operand === 'number') addWhole(operand, found)
    else gather(operand, found)
  }
}

/** What fits, with one thing or nothing in the place of each star, and what is short of it. */
function addPattern(pattern: readonly unknown[], { texts }: Found): void {
  const written = (star: string) =>
    pattern.map((part) => (part === 'Wildcard' ? star : (part as { Literal: string }).Literal))
  for (const star of ['', 'q', '*']) texts.add(written(star).join(''))
  texts.add(written('q').slice(1).join(''))
  texts.add(written('q').slice(0, -2).join(''))
}

function addText(text: string, { texts }: Found): void {
  texts.add(text)
  texts.add(`${text}.q`)
}

function addWhole(whole: number, { wholes }: Found): void {
  for (const near of [whole - 1, whole, whole + 1]) wholes.add(near)
}

function attributesIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  const own = 'attr' in node ? [node.attr].flat().map(String) : []
  return [...own, ...Object.values(node).flatMap(attributesIn)]
}
