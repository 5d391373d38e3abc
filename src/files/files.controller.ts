import { Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConsumes,
  ApiCreatedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProduces,
  ApiQuery,
  ApiResponse,
  ApiSecurity,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { CurrentIdentity, CurrentUser } from '../auth/current-user.decorator.js';
import type { Identity } from '../auth/identity.js';
import { Public } from '../auth/public.decorator.js';
import { User } from '../auth/users/user.entity.js';
import { ApiProblems } from '../common/errors/api-problems.decorator.js';
import { IdPipe } from '../common/validation/id.pipe.js';
import { LimitConcurrent } from '../throttling/limit-concurrent.decorator.js';
import { FileContents } from './file-contents.service.js';
import { FileLinks } from './file-links.service.js';
import { StoredFileDto, FileListDto, ListFilesDto } from './file.dto.js';
import { FilesService } from './files.service.js';
import { Uploads } from './uploads.service.js';

const BYTES = { type: 'string', format: 'binary' } as const;

@ApiTags('Files')
@ApiBearerAuth()
@Controller('files')
export class FilesController {
  constructor(
    private readonly files: FilesService,
    private readonly uploads: Uploads,
    private readonly contents: FileContents,
    private readonly links: FileLinks,
  ) {}

  @Post()
  @LimitConcurrent()
  @ApiOperation({
    operationId: 'uploadFile',
    summary: 'Upload a file',
    description:
      'One part named `file`, 20 MiB at most, within 10 minutes: a PNG, JPEG, WebP or GIF image, a PDF with text, or ' +
      'UTF-8 text, detected from the bytes. Images lose their metadata. A file that no message uses is removed after ' +
      '24 hours. Files are not scanned for malware.',
  })
  @ApiConsumes('multipart/form-data')
  @ApiBody({
    schema: {
      type: 'object',
      properties: { file: { type: 'string', format: 'binary' } },
      required: ['file'],
    },
  })
  @ApiCreatedResponse({ type: StoredFileDto })
  @ApiProblems(
    '400 bad_request',
    '409 storage_full',
    '413 body_too_large',
    '415 unsupported_file',
    '415 unsupported_media_type',
    '422 unreadable_file',
    '422 validation_failed',
    '503 storage_unavailable',
  )
  async upload(@CurrentIdentity() { session }: Identity, @Req() request: Request): Promise<StoredFileDto> {
    return this.links.toDto(await this.uploads.receive(session, request));
  }

  @Get()
  @ApiOperation({
    operationId: 'listFiles',
    summary: 'List your files',
    description: 'Newest first, without deleted ones, with the space that they take.',
  })
  list(@CurrentUser() user: User, @Query() query: ListFilesDto): Promise<FileListDto> {
    return this.files.list(user.id, query);
  }

  @Get(':id')
  @ApiOperation({
    operationId: 'getFile',
    summary: 'Get a file, without its content',
    description: 'A deleted file is returned as long as a message names it.',
  })
  async get(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<StoredFileDto> {
    return this.links.toDto(await this.files.getOwned(user.id, id));
  }

  @Get(':id/content')
  @Public()
  @ApiSecurity({})
  @ApiOperation({
    operationId: 'getFileContent',
    summary: 'Get the bytes of a file',
    description:
      "Requires the owner's access token, or the token of the file's `url`. Supports `Range` and `If-None-Match`.",
  })
  @ApiQuery({ name: 'token', required: false, description: "From the file's `url`.", type: String })
  @ApiProduces('*/*')
  @ApiOkResponse({ schema: BYTES })
  @ApiResponse({ status: 206, description: 'The range', schema: BYTES })
  @ApiResponse({ status: 304, description: 'Not modified' })
  @ApiProblems(
    '401 unauthenticated',
    '401 token_expired',
    '401 token_revoked',
    '416 range_not_satisfiable',
    '503 storage_unavailable',
  )
  content(
    @Param('id', IdPipe) id: number,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.contents.send(id, request, response);
  }

  @Post(':id/delete')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteFile',
    summary: 'Delete a file',
    description: 'Messages keep its name, marked `deleted`.',
  })
  delete(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<void> {
    return this.files.delete(user.id, id);
  }
}
