import { Controller, Get } from '@nestjs/common';

/** Tells that the process serves requests; says nothing about the store and the engine. */
@Controller('healthz')
export class HealthController {
  @Get()
  check(): { readonly status: 'ok' } {
    return { status: 'ok' };
  }
}
