// Who may import whom; the picture is in docs/architecture.md.
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'Loaded by the workflow sandbox, the API and the worker.',
      from: { path: '^src/domain/' },
      to: { pathNot: '^src/domain/' },
    },
    {
      name: 'workflows-see-domain-and-sdk',
      severity: 'error',
      comment: 'Workflow code is deterministic and bundled for the sandbox.',
      from: { path: '^workflows/' },
      to: {
        pathNot: [
          '^workflows/',
          '^activities/',
          '^src/domain/',
          '^node_modules/@temporalio/(workflow|common)/',
        ],
      },
    },
    {
      name: 'workflows-import-activity-types-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^activities/', preCompilationOnly: false },
    },
    {
      name: 'activities-do-not-know-the-api',
      severity: 'error',
      from: { path: '^activities/' },
      to: { path: ['^src/api/', '^workflows/', '^node_modules/@nestjs/'] },
    },
    {
      name: 'api-does-not-run-work',
      severity: 'error',
      from: { path: '^src/api/' },
      to: {
        path: [
          '^activities/',
          '^workflows/',
          '^node_modules/@temporalio/(worker|activity|workflow)/',
        ],
      },
    },
    {
      name: 'minio-lives-in-one-file',
      severity: 'error',
      comment:
        'Any S3 client could take its place. The benchmark compares uploads with it, and tests set a quota with it.',
      from: {
        pathNot: [
          '^src/storage/s3-client\\.ts$',
          '^bench/store-puts\\.ts$',
          '^test/support/bucket-quota\\.ts$',
        ],
      },
      to: { path: '^node_modules/minio/' },
    },
    {
      name: 'undici-lives-in-the-upstream-adapter',
      severity: 'error',
      from: { path: '^(src|workflows|activities)/', pathNot: '^src/upstream/' },
      to: { path: '^node_modules/undici/' },
    },
    {
      name: 'adapters-do-not-know-each-other',
      severity: 'error',
      comment: 'Each knows the domain and its own library; the ledger alone builds on the store.',
      from: { path: '^src/(storage|upstream|temporal|observability)/' },
      to: { path: '^src/(api|worker|ledger|storage|upstream|temporal)/', pathNot: '^src/$1/' },
    },
    {
      name: 'tests-are-leaves',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'scripts-are-not-the-product',
      severity: 'error',
      from: { path: '^(src|workflows|activities)/' },
      to: { path: '^scripts/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.cjs', '.json'] },
  },
};
