import { ConflictError, NotFoundError, ProblemError } from '../common/errors/errors.js';

/** Also for another user's file, so that ids cannot be probed. */
export const fileNotFound = () => new NotFoundError('file');

export const storageFull = () =>
  new ConflictError('storage_full', 'Your files take all the space there is: delete some first.');

export const rangeNotSatisfiable = () =>
  new ProblemError(416, 'range_not_satisfiable', 'The file ends before the range.');
