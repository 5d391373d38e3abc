import { ConflictError, invalidField, NotFoundError, ProblemError } from '../common/errors/errors.js';

/** Also for another user's configuration, so that ids cannot be probed. */
export const configNotFound = () => new NotFoundError('configuration');

export const sharedConfig = () =>
  new ProblemError(403, 'shared_config', 'Only administrators can change or test a shared configuration.');

export const configLimitReached = (limit: number) =>
  new ConflictError('config_limit', `You have ${limit} configurations, the most there can be.`);

export const noModelConfig = () =>
  new ConflictError('no_model_config', 'Add a model configuration before you chat.');

export const keyUnreadable = (configId: number) =>
  new ConflictError(
    'key_unreadable',
    'The key of this configuration can no longer be read; send its api_key again.',
    { config_id: configId },
  );

/** A `config_id` in a body that names no configuration of the user. */
export const unknownConfigId = () => invalidField('config_id', 'Must be one of your configurations.');
