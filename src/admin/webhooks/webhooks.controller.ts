import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../../auth/roles/admin.guard.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { WebhooksQuery, WebhookDeliveriesDto } from './webhooks.dto.js';
import { WebhooksService } from './webhooks.service.js';

@ApiTags('Administration')
@AdminOnly()
@Controller('admin/webhooks')
export class WebhooksController {
  constructor(private readonly webhooks: WebhooksService) {}

  @Get()
  @ApiOperation({
    operationId: 'listWebhookDeliveries',
    summary: 'List webhook deliveries, the newest first',
    description: 'Delivered ones are kept for 7 days, dead ones, which were given up, for 30.',
  })
  list(@Query() query: WebhooksQuery): Promise<WebhookDeliveriesDto> {
    return this.webhooks.list(query);
  }

  @Post(':id/retry')
  @HttpCode(202)
  @ApiOperation({
    operationId: 'retryWebhookDelivery',
    summary: 'Deliver a webhook again, now and for a day',
    description:
      'Whatever its status. The receiver gets it with the same `webhook-id`, and perhaps after later events.',
  })
  retry(@Param('id', IdPipe) id: number): Promise<void> {
    return this.webhooks.retry(id);
  }
}
