import { builtinModules } from 'node:module';
import js from '@eslint/js';
import prettier from 'eslint-config-prettier/flat';
import jest from 'eslint-plugin-jest';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const nodeBuiltins = builtinModules
  .filter((name) => !name.startsWith('_'))
  .flatMap((name) => [name, `node:${name}`]);

export default defineConfig(
  globalIgnores([
    'dist/',
    'scanner/',
    'coverage/',
    '.cache/',
    '.longhaul/',
    '**/*.cjs',
    '**/*.mjs',
  ]),
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/return-await': ['error', 'always'],
      '@typescript-eslint/strict-boolean-expressions': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { requireDefaultForNonUnion: true },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'Read settings through src/config.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'ExportAllDeclaration', message: 'Re-export by name.' },
        { selector: 'TSEnumDeclaration', message: 'Use an `as const` array and its union type.' },
      ],
      complexity: ['error', 12],
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'max-params': ['error', 4],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipComments: true }],
    },
  },
  {
    files: ['src/domain/**', 'workflows/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        'process',
        'Buffer',
        'fetch',
        'console',
        'setTimeout',
        'setInterval',
        'crypto',
        'performance',
      ],
      'no-restricted-imports': ['error', { paths: nodeBuiltins }],
    },
  },
  {
    // Programs: they own the process that they run in.
    files: ['src/*/main.ts', 'src/config/**', 'scripts/**', 'bench/**', 'test/**'],
    rules: { 'no-restricted-globals': 'off' },
  },
  {
    files: ['test/**'],
    extends: [jest.configs['flat/recommended']],
    rules: {
      'jest/expect-expect': ['warn', { assertFunctionNames: ['expect', 'check', 'holds*'] }],
      'jest/no-standalone-expect': ['error', { additionalTestBlockFunctions: ['afterEach'] }],
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  {
    // Suites that a test file runs for each implementation of a port.
    files: ['test/conformance/**'],
    rules: { 'jest/no-export': 'off' },
  },
  prettier,
);
