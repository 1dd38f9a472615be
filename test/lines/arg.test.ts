/** The lines of arguments, over one pair of brokers. */
import './arg.lines.ts'
import './arg-value.lines.ts'
