/** The simulated upstream as a process of its own. */
import { startSimulatedUpstream } from './simulated-upstream';

async function main(): Promise<void> {
  const { env } = process;
  const number = (name: string, fallback: number): number => Number(env[name] ?? fallback);
  const journalFile = env['LONGHAUL_SIMULATOR_JOURNAL'];
  const upstream = await startSimulatedUpstream({
    port: number('LONGHAUL_SIMULATOR_PORT', 8701),
    models: (env['LONGHAUL_SIMULATOR_MODELS'] ?? 'longhaul-demo-model').split(','),
    latencyMs: number('LONGHAUL_SIMULATOR_LATENCY_MS', 20),
    slotsMax: number('LONGHAUL_SIMULATOR_SLOTS', 256),
    ...(journalFile !== undefined && { journalFile }),
  });
  process.stderr.write(`The simulated upstream listens on ${upstream.baseUrl}\n`);
  process.once('SIGTERM', () => {
    void upstream.close();
  });
}

void main();
