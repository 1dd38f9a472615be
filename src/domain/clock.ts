/** Tells the time. Handed over wherever a part needs to know it: nothing here reads a clock by itself. */
export type Clock = () => Date
