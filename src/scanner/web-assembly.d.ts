/** What is used here of the WebAssembly API, which Node.js has and its types have not. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
    readonly [Symbol.toStringTag]: string;
  }

  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, never>>);
    readonly exports: unknown;
  }

  class Memory {
    readonly buffer: ArrayBuffer;
    /** Adds pages of 64 KiB. */
    grow(pages: number): number;
  }

  class Global {
    readonly value: number;
  }
}
