import { scannerBinary } from './scanner-binary';

/** What `scanner/index.ts` exports, where it is described. Addresses are of bytes in `memory`. */
export interface ScannerInstance {
  readonly memory: WebAssembly.Memory;
  readonly scratchAt: WebAssembly.Global;
  readonly recordsAt: WebAssembly.Global;
  readonly recordBytes: WebAssembly.Global;
  readonly recordsMax: WebAssembly.Global;
  readonly lineCount: WebAssembly.Global;
  readonly blankCount: WebAssembly.Global;
  readonly inputCount: WebAssembly.Global;
  readonly valueAt: WebAssembly.Global;
  readonly valueEnd: WebAssembly.Global;
  readonly memberAt: WebAssembly.Global;
  readonly memberEnd: WebAssembly.Global;
  /** 1 or 0. */
  readonly hasEscapedName: WebAssembly.Global;
  open(slotsMax: number, key0: bigint, key1: bigint): number;
  setUrl(bytes: number): void;
  setRequired(bytes: number): void;
  setLineBytesMax(bytes: number): void;
  addModel(bytes: number): void;
  /** 1 when the ID is new, otherwise 0. */
  addCustomId(bytes: number): number;
  /** 1 or 0. */
  isJson(from: number): number;
  countElements(from: number): number;
  /** 1 or 0. */
  readText(from: number, nameBytes: number): number;
  replaceByte(from: number, end: number, replaced: number, by: number): void;
  scan(from: number, end: number, linesMax: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** Each instance has a memory of its own. */
export function createScannerInstance(): ScannerInstance {
  compiled ??= new WebAssembly.Module(Buffer.from(scannerBinary, 'base64'));
  return new WebAssembly.Instance(compiled, {}).exports as ScannerInstance;
}
