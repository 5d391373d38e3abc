import { ApiProperty } from '@nestjs/swagger';
import { QueryInteger } from '../common/validation/query.decorators.js';
import type { StoredFile } from './file.entity.js';

const SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export class StoredFileDto {
  @ApiProperty({ type: 'integer', format: 'int64', example: 1 })
  id!: number;

  /** Without folders and control characters. */
  @ApiProperty({ example: 'chart.png', maxLength: 255 })
  name!: string;

  /** Detected from the bytes. */
  @ApiProperty({ example: 'image/png' })
  mime_type!: string;

  @ApiProperty({ type: 'integer', format: 'int32', example: 48213 })
  bytes!: number;

  /** Of the bytes that are served, in hex. */
  @ApiProperty({ example: SHA256 })
  sha256!: string;

  /** In pixels; null unless it is an image. */
  @ApiProperty({ type: 'integer', format: 'int32', nullable: true, example: 800 })
  width!: number | null;

  @ApiProperty({ type: 'integer', format: 'int32', nullable: true, example: 600 })
  height!: number | null;

  @ApiProperty({ example: false })
  deleted!: boolean;

  /** Path of the content, valid for an hour without an access token. Null once the file is deleted. */
  @ApiProperty({ type: 'string', nullable: true, example: '/files/1/content?token=ti9rcw.c2lnbmF0dXJl' })
  url!: string | null;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  /** @param url signed, or null for a deleted file */
  static from(file: StoredFile, url: string | null): StoredFileDto {
    return Object.assign(new StoredFileDto(), {
      id: file.id,
      name: file.name,
      mime_type: file.mimeType,
      bytes: file.bytes,
      sha256: file.sha256,
      width: file.width,
      height: file.height,
      deleted: file.deletedAt !== null,
      url,
      created_at: file.createdAt.toISOString(),
    } satisfies StoredFileDto);
  }
}

export class FileListDto {
  /** Newest first, without deleted ones. */
  @ApiProperty({ type: () => [StoredFileDto] })
  files!: StoredFileDto[];

  @ApiProperty({ type: 'integer', format: 'int32', example: 1 })
  total!: number;

  /** Sum of the sizes of all files; the same content counts each time. */
  @ApiProperty({ type: 'integer', format: 'int64', example: 48213 })
  bytes_used!: number;

  @ApiProperty({ type: 'integer', format: 'int64', example: 1_073_741_824 })
  bytes_limit!: number;
}

export class ListFilesDto {
  @QueryInteger({ min: 1, max: 100, default: 20, description: 'The most files in the response.' })
  limit = 20;

  @QueryInteger({ min: 0, default: 0, description: 'Files to skip.' })
  offset = 0;
}
