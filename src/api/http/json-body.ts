import type { IncomingMessage } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator } from '@nestjs/common';
import { ApiError } from './api-error';
import { requireContentType } from './content-type';

const jsonBytesMax = 1_048_576;
const jsonMsMax = 30_000;

/**
 * The parsed JSON body. It is read by the routes that want one and by no other, so that neither a
 * wrong path nor a `cancel` with an empty body under a JSON type stumbles over it.
 */
export const JsonBody = createParamDecorator(
  async (_options: unknown, context: ExecutionContext) =>
    await readJson(context.switchToHttp().getRequest<IncomingMessage>()),
);

/** An empty body reads as `{}`, which fails on its first missing parameter. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  requireContentType(request, 'application/json');
  const bytes = await readBytes(request);
  return bytes.length === 0 ? {} : parseJson(bytes);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch {
    throw new ApiError(
      'invalidRequest',
      'We could not parse the JSON body of your request. (HINT: This likely means you aren’t using your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)',
    );
  }
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  return await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => {
      reject(new ApiError('requestTimeout', 'The body of your request did not arrive in time.'));
    }, jsonMsMax);
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > jsonBytesMax) {
        chunks.length = 0;
        reject(tooLarge());
      } else {
        chunks.push(chunk);
      }
    });
    request.on('end', () => {
      resolve(Buffer.concat(chunks));
    });
    // Node tells of a client that goes away with an error, which is no fault of ours.
    request.on('error', () => {
      reject(brokenOff());
    });
    request.on('close', () => {
      clearTimeout(timer);
      reject(brokenOff());
    });
  });
}

function brokenOff(): ApiError {
  return new ApiError('invalidRequest', 'The request ended before its body was complete.');
}

function tooLarge(): ApiError {
  return new ApiError(
    'bodyTooLarge',
    `The body of your request is too large. The maximum is ${jsonBytesMax} bytes.`,
  );
}
