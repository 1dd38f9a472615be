/** Loaded into a measured server before its own code: tells its parent what CPU it has used, when asked. */

process.on('message', (asked) => {
  if (asked === 'cpu') process.send?.(process.cpuUsage())
})
// Whoever measured is gone: then this has no reason to be here.
process.on('disconnect', () => {
  process.kill(process.pid, 'SIGTERM')
})
process.channel?.unref()
