import { holdsAsync } from '../../support/holds';
import { ledgerProperty } from '../../support/ledger-model';

test('every line is in the seal exactly once, whatever owners and store have done', async () => {
  await holdsAsync(ledgerProperty(), { numRuns: 600 });
});
