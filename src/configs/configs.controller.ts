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
  ConfigTestDto,
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
  @ApiOperation({ operationId: 'listConfigs', summary: 'List your model configurations' })
  async list(@CurrentUser() user: User): Promise<ConfigListDto> {
    const configs = await this.configs.list(user.id);
    return { configs, total: configs.length };
  }

  @Post('create')
  @ApiOperation({ operationId: 'createConfig', summary: 'Add a model configuration' })
  @ApiProblems('409 config_limit')
  create(@CurrentActor() actor: Actor, @Body() dto: CreateConfigDto): Promise<ConfigDto> {
    return this.changes.create(actor, dto);
  }

  @Post(':id/update')
  @HttpCode(200)
  @ApiOperation({ operationId: 'updateConfig', summary: 'Change a model configuration' })
  update(
    @CurrentActor() actor: Actor,
    @Param('id', IdPipe) id: number,
    @Body() dto: UpdateConfigDto,
  ): Promise<ConfigDto> {
    return this.changes.update(actor, id, dto);
  }

  @Post(':id/delete')
  @HttpCode(204)
  @ApiOperation({ operationId: 'deleteConfig', summary: 'Delete a model configuration' })
  delete(@CurrentActor() actor: Actor, @Param('id', IdPipe) id: number): Promise<void> {
    return this.changes.delete(actor, id);
  }

  @Post(':id/test')
  @LimitConcurrent()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'testConfig',
    summary: 'Try a model configuration with one real, tiny completion',
  })
  @ApiProblems('409 key_unreadable')
  test(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<ConfigTestDto> {
    return this.configs.test(user.id, id);
  }

  @Get(':id/models')
  @LimitConcurrent()
  @ApiOperation({ operationId: 'listConfigModels', summary: "List the models of a configuration's provider" })
  @ApiProblems(
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
