/** The lines of who asks, over one pair of brokers. */
import './aut-agents.lines.ts'
import './aut-claims.lines.ts'
import './aut-form.lines.ts'
