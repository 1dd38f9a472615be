/** The lines of tokens, over one pair of brokers. */
import './tok-explain.lines.ts'
import './tok-session.lines.ts'
import './tok-spending.lines.ts'
import './tok-splicing.lines.ts'
