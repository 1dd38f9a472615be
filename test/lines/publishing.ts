/** PUB: the policy folder of the house, edited as an operator would, and who decides by which set. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { isObject, type JsonObject } from '../../src/domain/json.ts'
import { eventually } from '../scenario/house.ts'
import type { Agent } from './adaptor.ts'
import type { World } from './house.ts'

/** To vet a set takes a thread, and its heap stays with the process for a while. */
export const PUBLISHING = { timeout: 120_000, rssMb: 250 } as const
const SECONDS = 60

const pathOf = (w: World, file: string) => join(w.home.env['PROCURA_POLICIES'] ?? '', file)

/** The hash of the set that this replica decides by, once it decides: meanwhile it says that it is stale. */
export async function setAt(w: World, at: number): Promise<string> {
  const told = async () => {
    const { status, body } = await w.EX(w.agent, { at })
    return status === 200 && textIn(body, 'policy_set_hash')
  }
  return await eventually('a set to decide by', told, SECONDS)
}

/** Writes a file of the folder; what it was, or `null`. */
export function written(w: World, file: string, text: string | null): string | null {
  const path = pathOf(w, file)
  const before = textOf(path)
  if (text === null) rmSync(path)
  else writeFileSync(path, text)
  return before
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null // It is new.
  }
}

/** Writes a file; resolves when both replicas decide by the set that has it. What it was before. */
export async function published(w: World, file: string, text: string | null) {
  const old = await setAt(w, 0)
  const before = written(w, file, text)
  for (const at of [0, 1]) {
    await eventually(
      `another set at ${String(at)}`,
      async () => (await setAt(w, at)) !== old,
      SECONDS,
    )
  }
  return before
}

export async function replaced(w: World, file: string, from: string, to: string): Promise<void> {
  const text = readFileSync(pathOf(w, file), 'utf8')
  expect(text).toContain(from)
  await published(w, file, text.replace(from, to))
}

/** Writes a file; resolves when a replica has said since that it does not take the folder, naming this. */
export async function refusedSet(w: World, file: string, text: string, what = file): Promise<void> {
  const said = w.brokers.map(({ stderr }) => stderr().length)
  written(w, file, text)
  const isTold = () => w.brokers.some(({ stderr }, n) => stderr().slice(said[n]).includes(what))
  await eventually(`that ${what} is refused`, () => Promise.resolve(isTold()), SECONDS)
}

/** Asks for what takes a yes, and has Ben say it. */
export async function approved(w: World, agent: Agent, body: JsonObject): Promise<string> {
  const asked = await w.accepted(w.CR(agent, { body }), 202)
  const { approval } = asked.body
  const id = textIn(isObject(approval) ? approval : {}, 'id')
  const seen = await w.asBearer(w.PT('ben'), 'GET', `/v1/approvals/${id}`)
  const yes = { decision: 'approve', binding_hash: textIn(seen.body, 'binding_hash') }
  await w.accepted(w.AP(id, yes), 200)
  return id
}
