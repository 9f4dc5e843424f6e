/**
 * Compiles `scanner/index.ts` and writes the module into `src/scanner/scanner-binary.ts`, which is kept
 * in the repository: building the product takes no second compiler. The same source gives the same
 * bytes; a test compares them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileScanner } from './scanner/compile-scanner';
import { projectRoot } from './local/project-root';

const source = `/** Built by \`npm run build-scanner\` from \`scanner/index.ts\`: a WebAssembly module in base64. */
export const scannerBinary =
  '${compileScanner().toString('base64')}';
`;
writeFileSync(join(projectRoot, 'src/scanner/scanner-binary.ts'), source);
