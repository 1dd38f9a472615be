/** The lines of what the house is run and looked at by, over one pair of brokers. */
import './adm-looking.lines.ts'
import './adm-routes.lines.ts'
import './aud.lines.ts'
