import { invalidField, ProblemError } from '../../common/errors/errors.js';

export const notOneFile = () => invalidField('file', 'Must be the only part, with a file.');

export const malformedUpload = () =>
  new ProblemError(
    400,
    'bad_request',
    'The upload could not be read; is it well-formed multipart/form-data?',
  );

export const notMultipart = () =>
  new ProblemError(415, 'unsupported_media_type', 'The body must be multipart/form-data.');
