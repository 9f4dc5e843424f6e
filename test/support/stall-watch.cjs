// Loaded before a program under test: remembers when its event loop stood still for long, and prints
// what is new on SIGUSR2. A stall counts only when the process also used the processor meanwhile, so that a
// busy machine is not taken for a busy program.
const intervalMs = 5;
const stallMs = 50;

let stalls = [];
let last = { wallMs: performance.now(), cpu: process.cpuUsage() };
const timer = setInterval(() => {
  const now = { wallMs: performance.now(), cpu: process.cpuUsage() };
  const wallMs = now.wallMs - last.wallMs - intervalMs;
  const { user, system } = process.cpuUsage(last.cpu);
  const cpuMs = (user + system) / 1_000;
  if (wallMs > stallMs && cpuMs > stallMs) {
    stalls.push({ endedAt: Date.now(), wallMs: Math.round(wallMs), cpuMs: Math.round(cpuMs) });
  }
  last = now;
}, intervalMs);
timer.unref();

process.on('SIGUSR2', () => {
  process.stderr.write(`\nstalls: ${JSON.stringify(stalls)}\n`);
  stalls = [];
});
