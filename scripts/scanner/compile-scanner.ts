import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../local/project-root';

const sources = ['scanner/index.ts', '--config', 'scanner/asconfig.json'];

/** The WebAssembly module that the scanner's source compiles to; takes some seconds. */
export function compileScanner(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-scanner-'));
  const outFile = join(folder, 'scanner.wasm');
  try {
    execFileSync(
      process.execPath,
      [require.resolve('assemblyscript/bin/asc.js'), ...sources, '--outFile', outFile],
      {
        cwd: projectRoot,
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    return readFileSync(outFile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
