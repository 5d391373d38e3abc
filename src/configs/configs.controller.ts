import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Actor } from '../auth/actor.js';
import { CurrentActor, CurrentUser } from '../auth/current-user.decorator.js';
import { User } from '../auth/users/user.entity.js';
import { ApiProblems } from '../common/errors/api-problems.decorator.js';
import { IdPipe } from '../common/validation/id.pipe.js';
import { LimitConcurrent } from '../throttling/limit-concurrent.decorator.js';
import { ConfigChangesService } from './config-changes.service.js';
import {
  ConfigDto,
  ConfigListDto,
  ConfigTestResultDto,
  CreateConfigDto,
  ModelListDto,
  UpdateConfigDto,
} from './config.dto.js';
import { ConfigsService } from './configs.service.js';

@ApiTags('Model configurations')
@ApiBearerAuth()
@Controller('auth/config')
export class ConfigsController {
  constructor(
    private readonly configs: ConfigsService,
    private readonly changes: ConfigChangesService,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listConfigs',
    summary: 'List your model configurations',
    description: 'All of them, without their API keys; shared ones of the operator last, without their URL.',
  })
  async list(@CurrentUser() user: User): Promise<ConfigListDto> {
    return ConfigListDto.from(await this.configs.list(user.id));
  }

  @Post('create')
  @ApiOperation({
    operationId: 'createConfig',
    summary: 'Add a model configuration',
    description:
      'The first one becomes the default. The API key is stored encrypted and never returned; nothing is sent to the provider before a test or a message.',
  })
  @ApiProblems('409 config_limit')
  create(@CurrentActor() actor: Actor, @Body() dto: CreateConfigDto): Promise<ConfigDto> {
    return this.changes.create(actor, dto);
  }

  @Post(':id/update')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'updateConfig',
    summary: 'Change a model configuration',
    description:
      'Absent fields stay as they are. Another scheme, host or port of `model_url` requires the `api_key` again.',
  })
  @ApiProblems('403 shared_config')
  update(
    @CurrentActor() actor: Actor,
    @Param('id', IdPipe) id: number,
    @Body() dto: UpdateConfigDto,
  ): Promise<ConfigDto> {
    return this.changes.update(actor, id, dto);
  }

  @Post(':id/delete')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteConfig',
    summary: 'Delete a model configuration',
    description:
      'Conversations that use it answer with the default from then on; if it was the default, the oldest remaining one becomes it.',
  })
  @ApiProblems('403 shared_config')
  delete(@CurrentActor() actor: Actor, @Param('id', IdPipe) id: number): Promise<void> {
    return this.changes.delete(actor, id);
  }

  @Post(':id/test')
  @LimitConcurrent()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'testConfig',
    summary: 'Try a model configuration with one real, tiny completion',
    description: 'A failed test is a 200 too, with `ok: false` and the reason in `error`.',
  })
  @ApiProblems('403 shared_config', '409 key_unreadable')
  test(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<ConfigTestResultDto> {
    return this.configs.test(user.id, id);
  }

  @Get(':id/models')
  @LimitConcurrent()
  @ApiOperation({
    operationId: 'listConfigModels',
    summary: "List the models of a configuration's provider",
    description: 'As the provider lists them at `/models`, to fill a picker of `model_name`.',
  })
  @ApiProblems(
    '403 shared_config',
    '409 key_unreadable',
    '502 upstream_auth',
    '502 upstream_rate_limited',
    '502 upstream_timeout',
    '502 upstream_unreachable',
    '502 upstream_bad_response',
    '502 upstream_error',
  )
  async listModels(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<ModelListDto> {
    return { models: await this.configs.listModels(user.id, id) };
  }
}
