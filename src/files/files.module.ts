import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { Settings } from '../env/settings.js';
import { FileInspector } from './content/file-inspector.js';
import { FileBlob } from './file-blob.entity.js';
import { FileBlobs } from './file-blobs.service.js';
import { FileContents } from './file-contents.service.js';
import { FileLinks } from './file-links.service.js';
import { FileSweep } from './file-sweep.service.js';
import { StoredFile } from './file.entity.js';
import { FilesController } from './files.controller.js';
import { FilesService } from './files.service.js';
import { MessageFile } from './message-file.entity.js';
import { MessageFiles } from './message-files.service.js';
import { createStorage } from './storage/create-storage.js';
import { FileStorage } from './storage/file-storage.js';
import { TemporaryFiles } from './upload/temporary-files.js';
import { Uploads } from './uploads.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([FileBlob, StoredFile, MessageFile]), AuthModule],
  controllers: [FilesController],
  providers: [
    { provide: FileStorage, useFactory: createStorage, inject: [Settings] },
    FileBlobs,
    FileContents,
    FileInspector,
    FileLinks,
    FilesService,
    FileSweep,
    MessageFiles,
    TemporaryFiles,
    Uploads,
  ],
  exports: [FileBlobs, FileInspector, FilesService, FileStorage, FileSweep, MessageFiles, TemporaryFiles],
})
export class FilesModule {}
