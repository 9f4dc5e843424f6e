import { PassThrough, type Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { StoreFault } from '../../../src/storage/object-store';
import { ResumingRead } from '../../../src/storage/resuming-read';

/** Responses that a test fills by hand, in the order in which they were opened. */
class Responses {
  readonly opened: { readonly offset: number; readonly response: PassThrough }[] = [];
  reopen = async (offset: number): Promise<Readable> => await Promise.resolve(this.open(offset));

  constructor(private readonly onOpen?: (response: PassThrough, index: number) => void) {}

  read(sizeBytes: number, idleTimeoutMs = 60_000): ResumingRead {
    const first = this.open(0);
    return new ResumingRead({
      first,
      sizeBytes,
      idleTimeoutMs,
      reopen: async (offset) => await this.reopen(offset),
    });
  }

  private open(offset: number): PassThrough {
    const response = new PassThrough();
    this.opened.push({ offset, response });
    this.onOpen?.(response, this.opened.length - 1);
    return response;
  }

  get offsets(): number[] {
    return this.opened.map(({ offset }) => offset);
  }
}

/** Lets what was written go through, then breaks the connection. */
function breakAfter(response: PassThrough, bytes: string): void {
  response.write(bytes, () => setImmediate(() => response.destroy(new Error('reset'))));
}

describe('ResumingRead', () => {
  it('passes a response on', async () => {
    const responses = new Responses((response) => response.end('abcdef'));
    expect(await text(responses.read(6))).toBe('abcdef');
    expect(responses.offsets).toEqual([0]);
  });

  it('ends with an empty response', async () => {
    expect(await text(new Responses((response) => response.end()).read(0))).toBe('');
  });

  it('goes on where a response broke off, as often as that brings bytes', async () => {
    const responses = new Responses((response, index) => {
      if (index < 20) {
        breakAfter(response, 'x');
      } else {
        response.end('end');
      }
    });

    expect(await text(responses.read(23))).toBe(`${'x'.repeat(20)}end`);
    expect(responses.offsets).toEqual(Array.from({ length: 21 }, (_, index) => index));
  });

  it('takes an early end for a break', async () => {
    const responses = new Responses((response, index) => response.end(index === 0 ? 'abc' : 'def'));
    expect(await text(responses.read(6))).toBe('abcdef');
    expect(responses.offsets).toEqual([0, 3]);
  });

  it('resumes after a response that falls silent', async () => {
    const responses = new Responses((response, index) => {
      if (index === 0) {
        response.write('abc');
      } else {
        response.end('def');
      }
    });
    expect(await text(responses.read(6, 50))).toBe('abcdef');
    expect(responses.opened[0]?.response.destroyed).toBe(true);
  });

  it('gives up when no response brings a byte', async () => {
    const responses = new Responses((response) => response.destroy());
    await expect(text(responses.read(6))).rejects.toThrow(StoreFault);
    expect(responses.opened.length).toBeLessThan(10);
  });

  it('ends with the fault when it cannot be resumed', async () => {
    const responses = new Responses((response) => response.destroy(new Error('reset')));
    const fault = new StoreFault('changed');
    responses.reopen = async (): Promise<Readable> => await Promise.reject(fault);

    await expect(text(responses.read(6))).rejects.toBe(fault);
  });

  it('waits for its reader before it resumes', async () => {
    const big = Buffer.alloc(200_000, 'a');
    const responses = new Responses((response, index) => {
      if (index > 0) {
        response.end('end');
      }
    });
    const read = responses.read(200_003, 50);
    const first = responses.opened[0]?.response;
    first?.write(big);
    await new Promise((resolve) => read.once('readable', resolve));
    const closed = new Promise((resolve) => first?.once('close', resolve));
    first?.destroy(new Error('reset'));
    await closed;
    expect(responses.offsets).toEqual([0]);

    expect((await buffer(read)).subarray(-3).toString()).toBe('end');
    expect(responses.opened.length).toBeGreaterThan(1);
  });

  it('closes the response when its reader leaves', () => {
    const responses = new Responses((response) => response.write('abc'));
    const read = responses.read(6);
    read.destroy();
    expect(responses.opened[0]?.response.destroyed).toBe(true);
  });

  it('closes a response that comes after its reader has left', async () => {
    const responses = new Responses((response, index) => {
      if (index === 0) {
        response.destroy(new Error('reset'));
      }
    });
    const read = responses.read(6).resume();
    const late = new PassThrough();
    const isOpening = new Promise<(response: Readable) => void>((called) => {
      responses.reopen = async (): Promise<Readable> =>
        await new Promise<Readable>((resolve) => {
          called(resolve);
        });
    });
    const opened = await isOpening;
    read.destroy();
    const closed = new Promise((resolve) => late.once('close', resolve));
    opened(late);
    await closed;

    expect(late.destroyed).toBe(true);
  });
});
