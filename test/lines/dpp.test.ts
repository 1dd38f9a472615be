/** The lines of proofs of possession, over one pair of brokers. */
import './dpp.lines.ts'
import './dpp-outage.lines.ts'
