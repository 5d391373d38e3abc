import { ConflictError, invalidField, NotFoundError, ProblemError } from '../common/errors/errors.js';

/** Also for another user's configuration, so that ids cannot be probed. */
export const configNotFound = () => new NotFoundError('configuration');

export const sharedConfig = () =>
  new ProblemError(403, 'shared_config', 'Only administrators can change or test a shared configuration.');

export const configLimitReached = (limit: number) =>
  new ConflictError('config_limit', `You have ${limit} configurations, the most there can be.`);

export const noModelConfig = () =>
  new ConflictError('no_model_config', 'Add a model configuration before you chat.');

/** Users cannot send the key of a shared configuration. */
export function keyUnreadable({ id, userId }: { id: number; userId: number | null }): ConflictError {
  const remedy =
    userId === null ? 'an administrator has to send its api_key again' : 'send its api_key again';
  const detail = `The key of this configuration can no longer be read; ${remedy}.`;
  return new ConflictError('key_unreadable', detail, { config_id: id });
}

/** A `config_id` in a body that names no configuration of the user. */
export const unknownConfigId = () => invalidField('config_id', 'Must be one of your configurations.');

/** The default cannot be unset, only moved to another configuration. */
export const defaultNotUnsettable = () =>
  invalidField(
    'is_default',
    'Must not be false for the default: make another configuration the default instead.',
  );
