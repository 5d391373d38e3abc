import { ProblemError } from '../../common/errors/errors.js';

/** @param detail says what is wrong with the file */
export class UnreadableFileError extends ProblemError {
  constructor(detail: string) {
    super(422, 'unreadable_file', detail);
  }
}

export class UnsupportedFileError extends ProblemError {
  constructor() {
    super(
      415,
      'unsupported_file',
      'Only PNG, JPEG, WebP and GIF images, PDF documents and UTF-8 text can be uploaded.',
    );
  }
}
