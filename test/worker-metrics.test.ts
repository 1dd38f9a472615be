import { describe, expect, it } from 'vitest'
import { merged } from '../src/worker-metrics.ts'

const one = ['# HELP a_total How many', '# TYPE a_total counter', 'a_total 3', '']
const two = [
  ...['# HELP a_total How many', '# TYPE a_total counter', 'a_total{of="}{"} 4', 'a_total 1'],
  ...['# HELP up It runs', '# TYPE up gauge', 'up 1', ''],
]

describe('what several workers have counted', () => {
  it('stands together under each name, with the worker that counted it', () => {
    const text = merged([
      { slot: 1, text: [...one, ...two.slice(4)].join('\n') },
      { slot: 2, text: two.join('\n') },
    ])
    expect(text.split('\n')).toEqual([
      ...['# HELP a_total How many', '# TYPE a_total counter', 'a_total{worker="1"} 3'],
      ...['a_total{worker="2",of="}{"} 4', 'a_total{worker="2"} 1'],
      ...['# HELP up It runs', '# TYPE up gauge', 'up{worker="1"} 1', 'up{worker="2"} 1', ''],
    ])
  })

  it('says nothing of a worker that did not answer', () => {
    const text = merged([
      { slot: 1, text: '' },
      { slot: 2, text: one.join('\n') },
    ])
    expect(text).not.toContain('worker="1"')
    expect(text).toContain('a_total{worker="2"} 3')
  })
})
