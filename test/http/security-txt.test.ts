import { expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { aFront, serving } from '../fakes/front.ts'

it('says whom to tell of a weakness where somebody is named, and is not there where nobody is', async () => {
  const path = '/.well-known/security.txt'
  const { metadata } = aFront()
  await serving(aFront(), async ({ call }) => {
    const { status, text, headers } = await call('GET', path)
    expect([status, text]).toEqual([200, 'Contact: mailto:security@broker.example\n'])
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
  })
  const nobody = aFront({ metadata: { ...metadata, securityTxt: () => null } })
  expect((await serving(nobody, ({ call }) => call('GET', path))).status).toBe(404)
})

it('takes an address of mail or of a page, and nothing else', () => {
  const contact = (text: string) =>
    loadConfig({ PROCURA_SECURITY_CONTACT: text }).config.securityContact
  expect(contact('mailto:security@broker.example')).toBe('mailto:security@broker.example')
  expect(contact('https://broker.example/report')).toBe('https://broker.example/report')
  for (const wrong of [
    'security@broker.example',
    'javascript:alert(1)',
    'http://broker.example/',
  ]) {
    expect(() => contact(wrong)).toThrow('PROCURA_SECURITY_CONTACT')
  }
})
