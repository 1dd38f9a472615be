/** The lines of consents and chains, over one pair of brokers. */
import './con.lines.ts'
import './chn.lines.ts'
import './chn-roots.lines.ts'
import './chn-totals.lines.ts'
