// One project per kind of test; the kinds are described in CONTRIBUTING.md.
const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    {
      jsc: {
        parser: { syntax: 'typescript', decorators: true },
        target: 'es2022',
        transform: { legacyDecorator: true, decoratorMetadata: false },
      },
      module: { type: 'commonjs' },
      sourceMaps: 'inline',
    },
  ],
};
const kinds = ['tidy', 'unit', 'conformance', 'replay', 'integration', 'contract', 'e2e'];
module.exports = {
  // Jest's five seconds are too few for real servers, and for property tests on a busy machine.
  testTimeout: 300_000,
  // A process that has run dozens of files has a heap in which everything takes several times as long.
  workerIdleMemoryLimit: '600MB',
  projects: kinds.map((kind) => ({
    displayName: kind,
    testEnvironment: 'node',
    transform,
    testMatch: [`<rootDir>/test/${kind}/**/*.test.ts`],
    modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.longhaul/', '<rootDir>/.cache/'],
  })),
};
