import { EngineMetrics, type LoadReading } from '../../../src/upstream/engine-metrics';
import { httpTransport } from '../../../src/upstream/transport';
import { ManualClock } from './manual-clock';
import { anUpstream, Harness } from './support';

const harness = new Harness();
const load = { running: 10, waiting: 1 };

function metricsOf(
  readings: LoadReading[],
  changes: boolean[] = [],
): {
  metrics: EngineMetrics;
  clock: ManualClock;
  readAt: number[];
  loads: unknown[];
  world: { isBusy: boolean };
} {
  const clock = new ManualClock();
  const readAt: number[] = [];
  const loads: unknown[] = [];
  const world = { isBusy: true };
  const metrics = new EngineMetrics({
    clock,
    read: (onRead) => {
      readAt.push(clock.now());
      return clock.after(10, () => {
        onRead(readings.shift() ?? 'absent');
      });
    },
    isBusy: () => world.isBusy,
    onLoad: (told) => {
      loads.push(told);
      return changes.shift() ?? false;
    },
  });
  return { metrics, clock, readAt, loads, world };
}

describe('the metrics of an engine', () => {
  it('are read once a second while something is in flight', () => {
    const { metrics, clock, readAt, loads, world } = metricsOf([load, load, load]);
    metrics.wake();
    clock.advance(2_000);
    expect(readAt).toEqual([250, 1_260]);
    expect(loads).toEqual([load, load]);
    world.isBusy = false;
    clock.advance(10_000);
    expect(readAt).toHaveLength(2);
    world.isBusy = true;
    metrics.wake();
    clock.advance(0);
    expect(readAt).toEqual([250, 1_260, 12_000]);
  });

  it('are read again soon while the load is going to change', () => {
    const { metrics, clock, readAt } = metricsOf([load, load, load], [true, true]);
    metrics.wake();
    clock.advance(2_000);
    expect(readAt).toEqual([250, 510, 770, 1_780]);
  });

  it.each([
    ['that has none is asked again after ten minutes', 'absent' as const, 600_000],
    ['that does not answer is asked again after ten seconds', 'failed' as const, 10_000],
  ])('%s', (_what, reading, againMs) => {
    const { metrics, clock, readAt } = metricsOf([reading]);
    metrics.wake();
    clock.advance(againMs + 1_000);
    expect(readAt).toEqual([250, 260 + againMs]);
  });

  it('leave no timer behind', () => {
    const { metrics, clock } = metricsOf([]);
    metrics.wake();
    metrics.close();
    expect(clock.timerCount).toBe(0);
  });

  it.each<[string, number, string, LoadReading]>([
    ['of vLLM', 200, 'vllm:num_requests_running 10\nvllm:num_requests_waiting 1\n', load],
    ['that are something else', 200, '{}', 'absent'],
    ['that are too large', 200, 'x'.repeat(3 * 1024 * 1024), 'absent'],
    ['that are not there', 404, '', 'absent'],
    ['that are somewhere else', 302, '', 'absent'],
    ['of a server that fails', 500, '', 'failed'],
  ])('%s are read over HTTP', async (_what, status, text, expected) => {
    harness.upstream.useForMetrics((response) => {
      response.writeHead(status).end(text);
    });
    const upstream = anUpstream(harness.upstream.port);
    const { readLoad } = httpTransport(upstream, new ManualClock());
    expect(await new Promise((resolve) => readLoad(resolve))).toEqual(expected);
  });
});
