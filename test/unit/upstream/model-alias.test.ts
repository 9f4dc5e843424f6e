import { withModel } from '../../../src/upstream/model-alias';

describe('a body with another model', () => {
  function check(body: string, expected: string): void {
    const changed = withModel(Buffer.from(body), Buffer.from('"vendor/\\"real\\""'));
    expect(Buffer.from(changed).toString()).toBe(expected);
  }

  it('has the model replaced in place, and nothing else changed', () => {
    check('{"model":"alias"}', '{"model":"vendor/\\"real\\""}');
    check(
      '{ "n":1.0,\t"model" : "alias" ,"n":2}',
      '{ "n":1.0,\t"model" : "vendor/\\"real\\"" ,"n":2}',
    );
    check('{"m\\u006fdel":"\\u0061lias"}', '{"m\\u006fdel":"vendor/\\"real\\""}');
    check(
      '{"messages":[{"model":"alias"}],"model":"alias","x":"\\"model\\":\\"alias\\""}',
      '{"messages":[{"model":"alias"}],"model":"vendor/\\"real\\"","x":"\\"model\\":\\"alias\\""}',
    );
  });
});
