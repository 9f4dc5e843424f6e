import type { ValidationResult } from '../../../src/domain/workflow-contract';
import { ActivityWorld, createBatch, limits, recordOf } from '../../support/activity-world';
import { aBatchId, aFileId, requestLines } from '../../support/batches';

let world: ActivityWorld;
beforeEach(() => {
  world = new ActivityWorld(undefined, { settings: { limits: { ...limits, queuedLinesMax: 10 } } });
});

/** Makes a batch of so many lines, and validates it. */
async function validated(number: number, lineCount: number): Promise<ValidationResult> {
  const batch = { id: aBatchId(number), inputFileId: aFileId(10 + number) };
  const ref = await createBatch(world, requestLines(lineCount), { batch });
  return await world.run(async (control) => await control.validateAndPlan(ref));
}

const refOf = (number: number): { projectId: string; batchId: ReturnType<typeof aBatchId> } => ({
  projectId: 'default',
  batchId: aBatchId(number),
});

test('batches pass as long as their lines together are within the limit', async () => {
  expect(await validated(0, 4)).toMatchObject({ verdict: 'valid' });
  expect(await validated(1, 6)).toMatchObject({ verdict: 'valid' });
  expect(await validated(2, 1)).toEqual({ verdict: 'invalid', errorCount: 1 });
  expect(await recordOf(world, refOf(2))).toMatchObject({
    status: 'failed',
    requestCounts: { total: 0 },
    errors: [
      {
        code: 'queued_lines_limit_exceeded',
        message:
          'Queued request limit reached: with the 1 of this batch, the unfinished batches of the project would hold 11 requests. Limit: 10 queued requests. Please try again once some in_progress batches have been completed.',
        param: null,
        line: null,
      },
    ],
  });
});

test('a batch that is too large by itself fails too', async () => {
  expect(await validated(0, 11)).toMatchObject({ verdict: 'invalid' });
});

test('of two that are validated at the same time at least one sees the other', async () => {
  const verdicts = await Promise.all([validated(0, 6), validated(1, 6)]);
  expect(verdicts.filter(({ verdict }) => verdict === 'valid').length).toBeLessThanOrEqual(1);
});

test('batches that have ended do not count', async () => {
  expect(await validated(0, 11)).toMatchObject({ verdict: 'invalid' });
  expect(await validated(1, 10)).toMatchObject({ verdict: 'valid' });
});
