// Loaded before a program under test: says on SIGUSR2 how many listeners its signals have.
process.on('SIGUSR2', () => {
  const counts = ['SIGTERM', 'SIGINT', 'SIGQUIT'].map((signal) => process.listenerCount(signal));
  process.stderr.write(`\nlisteners: ${JSON.stringify(counts)}\n`);
});
