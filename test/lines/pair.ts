/** The two brokers of the modules of lines that one file of tests brings together. */
import { twoBrokers } from './house.ts'

export const { line } = twoBrokers()
