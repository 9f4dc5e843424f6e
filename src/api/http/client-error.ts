/** Answers to requests that Node's HTTP parser refused; no framework ever sees them. */
import type { Server, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { ApiError, toErrorBody } from './api-error';
import { newRequestId, requestIdHeader } from './request-id';

export function answerClientErrors(server: Server): void {
  const responses = new WeakMap<Socket, ServerResponse>();
  server.on('request', (request, response) => {
    responses.set(request.socket, response);
  });
  server.on('clientError', (fault: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    const response = responses.get(socket);
    const answering = response?.headersSent === true && !response.writableFinished;
    // In the middle of an answer, more bytes would be taken for a part of it.
    if (answering || !socket.writable || fault.code === 'ECONNRESET') {
      socket.destroy();
    } else {
      socket.end(rawAnswer(toApiError(fault.code ?? '')));
    }
  });
}

function toApiError(code: string): ApiError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError('headersTooLarge', 'The headers of your request are too large.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiError('requestTimeout', 'The headers of your request did not arrive in time.');
    default:
      return new ApiError('invalidRequest', 'We could not parse your HTTP request.');
  }
}

function rawAnswer(error: ApiError): string {
  const body = JSON.stringify(toErrorBody(error));
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `${requestIdHeader}: ${newRequestId()}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
