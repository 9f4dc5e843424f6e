import * as contract from '../../src/domain/workflow-contract';
import * as workflows from '../../workflows';

test('the bundle exports exactly the workflows that the contract names', () => {
  const names = Object.entries(contract)
    .filter(([name]) => name.endsWith('WorkflowName'))
    .map(([, value]) => value);
  expect(Object.keys(workflows).sort()).toEqual(names.sort());
});
