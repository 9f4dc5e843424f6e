/**
 * The API as an object: Nest routes behind a plain HTTP server.
 *
 * Before any route, in this order: the answer gets its id, the key is checked. Bodies are read by
 * the routes themselves, so that nothing is read for a client without the key.
 */
import 'reflect-metadata';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import express from 'express';
import { API_DEPENDENCIES, type ApiDependencies } from './dependencies';
import { BatchesController } from './batches/batches.controller';
import { FilesController } from './files/files.controller';
import { HealthController } from './health/health.controller';
import { logAnswers } from './http/access-log';
import { requireApiKey } from './http/api-key';
import { answerClientErrors } from './http/client-error';
import { answerInvalidTarget } from './http/invalid-target';
import { MethodNotAllowedController } from './http/method-not-allowed.controller';
import { OpenAiErrorFilter } from './http/openai-error.filter';
import { acceptPrefixes } from './http/path-prefixes';
import { identifyRequest } from './http/request-id';
import { boundUnreadBody } from './http/unread-body';
import { ModelsController } from './models/models.controller';
import { OpenApiController } from './openapi/openapi.controller';
import { UploadsController } from './uploads/uploads.controller';

/** OpenAI API reference: request headers stay under 64 KiB in total. */
const headerBytesMax = 65_536;
const headersMsMax = 60_000;
/** Above the idle timeout of common proxies (60 s), which must be the ones to close. */
const keepAliveMs = 75_000;

/** What needs no key. */
const openPaths = ['/healthz', '/openapi.json', '/v1/openapi.json'];

export interface ApiApp {
  /** Resolves to the base address, such as `http://127.0.0.1:8700`, once it accepts connections. */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>;
  /** Accepts no more connections, and ends those that are not done within the grace period. */
  close(graceMs: number): Promise<void>;
}

/** In the order in which routes are looked up. */
export const controllers = [
  HealthController,
  OpenApiController,
  FilesController,
  UploadsController,
  BatchesController,
  ModelsController,
  MethodNotAllowedController,
] as const;

@Module({})
class ApiModule {
  static with(dependencies: ApiDependencies): DynamicModule {
    return {
      module: ApiModule,
      controllers: [...controllers],
      providers: [{ provide: API_DEPENDENCIES, useValue: dependencies }],
    };
  }
}

export async function createApiApp(dependencies: ApiDependencies): Promise<ApiApp> {
  const handler = express();
  handler.disable('x-powered-by');
  handler.disable('etag');
  useBeforeRoutes(handler, dependencies);
  const nest = await NestFactory.create(ApiModule.with(dependencies), new ExpressAdapter(handler), {
    bodyParser: false,
    logger: false,
    abortOnError: false,
  });
  nest.useGlobalFilters(new OpenAiErrorFilter(dependencies.logger));
  await nest.init();
  const server = createHttpServer(handler);
  return {
    listen: async (address) => await listen(server, address),
    close: async (graceMs) => {
      await close(server, graceMs);
      await nest.close();
    },
  };
}

function useBeforeRoutes(handler: Express, dependencies: ApiDependencies): void {
  handler.use((request: Request, response: Response, next: NextFunction) => {
    boundUnreadBody(request, response);
    next();
  });
  handler.use(logAnswers(dependencies.logger));
  handler.use(identifyRequest);
  handler.use(acceptPrefixes(dependencies.settings.pathPrefixes));
  handler.use(unless(openPaths, requireApiKey(dependencies)));
}

function unless(paths: readonly string[], handler: RequestHandler): RequestHandler {
  return (request, response, next) => {
    if (paths.includes(request.path)) {
      next();
      return undefined;
    }
    return handler(request, response, next);
  };
}

function createHttpServer(handler: Express): Server {
  // Without a Host header Node would answer by itself, without an envelope.
  const server = createServer({ maxHeaderSize: headerBytesMax, requireHostHeader: false });
  server.on('request', (request: Request, response: Response) => {
    handler(request, response, () => {
      answerInvalidTarget(request, response);
    });
  });
  // RFC 9110 §10.1.1 lets a server overlook an expectation; Node would refuse without an envelope.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  // No limit on the total time of a request: a large upload takes as long as it takes.
  server.requestTimeout = 0;
  server.headersTimeout = headersMsMax;
  server.keepAliveTimeout = keepAliveMs;
  answerClientErrors(server);
  return server;
}

async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${shownHost}:${address.port}`;
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  // A connection that becomes idle later is kept alive by Node unless it is told again.
  const sweep = setInterval(() => {
    server.closeIdleConnections();
  }, 100);
  const cut = setTimeout(() => {
    server.closeAllConnections();
  }, graceMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
