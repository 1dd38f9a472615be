/** How this program is called by whoever called it: from a clone, or as it was installed. */
export const PROCURA = import.meta.url.endsWith('.ts') ? 'npm run -s procura --' : 'procura'
