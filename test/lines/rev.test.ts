/** The lines of stops, over one pair of brokers. */
import './rev.lines.ts'
import './rev-chain.lines.ts'
import './rev-freeze.lines.ts'
import './rev-scale.lines.ts'
