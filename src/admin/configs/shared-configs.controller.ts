import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../../auth/current-user.decorator.js';
import { AdminOnly } from '../../auth/roles/admin.guard.js';
import { User } from '../../auth/users/user.entity.js';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { ConfigTestResultDto } from '../../configs/config.dto.js';
import { ConfigsService } from '../../configs/configs.service.js';
import {
  CreateSharedConfigDto,
  SharedConfigDto,
  SharedConfigListDto,
  UpdateSharedConfigDto,
} from './shared-config.dto.js';
import { SharedConfigsService } from './shared-configs.service.js';
import { LimitConcurrent } from '../../throttling/limit-concurrent.decorator.js';

@ApiTags('Administration')
@AdminOnly()
@Controller('admin/configs')
export class SharedConfigsController {
  constructor(
    private readonly shared: SharedConfigsService,
    private readonly configs: ConfigsService,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listSharedConfigs',
    summary: 'List the shared model configurations',
    description: 'All of them, without their API keys.',
  })
  async list(): Promise<SharedConfigListDto> {
    return SharedConfigListDto.from(await this.shared.list());
  }

  @Post('create')
  @ApiOperation({
    operationId: 'createSharedConfig',
    summary: 'Share a model configuration with all users',
    description:
      'Users choose it, and see neither its URL nor its key. The first one is the default of users without own ones.',
  })
  @ApiProblems('403 admin_only', '409 config_limit')
  create(@Body() dto: CreateSharedConfigDto): Promise<SharedConfigDto> {
    return this.shared.create(dto);
  }

  @Post(':id/update')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'updateSharedConfig',
    summary: 'Change a shared model configuration',
    description:
      'Absent fields stay as they are. Another scheme, host or port of `model_url` requires the `api_key` again.',
  })
  update(@Param('id', IdPipe) id: number, @Body() dto: UpdateSharedConfigDto): Promise<SharedConfigDto> {
    return this.shared.update(id, dto);
  }

  @Post(':id/delete')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteSharedConfig',
    summary: 'Delete a shared model configuration',
    description: 'Conversations that use it answer with the default from then on.',
  })
  delete(@Param('id', IdPipe) id: number): Promise<void> {
    return this.shared.delete(id);
  }

  @Post(':id/test')
  @LimitConcurrent()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'testSharedConfig',
    summary: 'Try a shared model configuration with one real, tiny completion',
    description: 'A failed test is a 200 too, with `ok: false` and the reason in `error`.',
  })
  @ApiProblems('403 admin_only', '409 key_unreadable')
  async test(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<ConfigTestResultDto> {
    return this.configs.testShared(user.id, await this.shared.getRow(id));
  }
}
