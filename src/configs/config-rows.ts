import { DataSource, EntityManager, FindOptionsWhere, IsNull, SelectQueryBuilder } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { NotFoundError } from '../common/errors/errors.js';
import { transaction } from '../database/retry.js';
import { configLimitReached, configNotFound, defaultNotUnsettable, sharedConfig } from './configs.errors.js';
import { ModelConfig } from './model-config.entity.js';

const MAX_CONFIGS = 50;

/** Selects the default first: `users.default_config_id`, or the oldest if that is null or deleted. */
function queryDefaultFirst(manager: EntityManager, userId: number): SelectQueryBuilder<ModelConfig> {
  return manager
    .createQueryBuilder(ModelConfig, 'config')
    .innerJoin(User, 'user', 'user.id = config.userId')
    .where('config.userId = :userId', { userId })
    .orderBy('CASE WHEN config.id = user.defaultConfigId THEN 0 ELSE 1 END')
    .addOrderBy('config.id');
}

/**
 * Joins a conversation of the user with its own configuration, or else the user's default, or else the shared default;
 * `c` is null if there is none. Every send runs it. Parameters: the conversation's id, the user's id.
 */
export const CONVERSATION_CONFIG =
  'FROM conversations v JOIN users u ON u.id = v.user_id ' +
  'LEFT JOIN model_configs c ON (c.user_id = u.id OR c.user_id IS NULL) AND c.enabled = 1 ' +
  'WHERE v.id = ? AND v.user_id = ? ' +
  'ORDER BY CASE c.id WHEN v.config_id THEN 0 WHEN u.default_config_id THEN 1 ELSE 2 END, ' +
  'CASE WHEN c.user_id IS NULL THEN 1 ELSE 0 END, c.shared_default DESC, c.id LIMIT 1';

/** Conditions of a configuration that the user may choose: an own one, or one that is shared. */
export const usableBy = (userId: number, id: number): FindOptionsWhere<ModelConfig>[] => [
  { id, userId },
  { id, userId: IsNull(), enabled: true },
];

/**
 * @throws {NotFoundError} also for another user's configuration
 * @throws {ProblemError} 403 `shared_config`
 */
export async function getOwned(manager: EntityManager, userId: number, id: number): Promise<ModelConfig> {
  const config = await manager.findOneBy(ModelConfig, [
    { id, userId },
    { id, userId: IsNull() },
  ]);
  if (!config) throw configNotFound();
  if (config.userId === null) throw sharedConfig();
  return config;
}

/** Runs a transaction that first locks the user's row, which serializes changes to one user's configurations. */
export function withUserLock<T>(
  dataSource: DataSource,
  userId: number,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return transaction(dataSource, async (manager) => {
    const touch = { defaultConfigId: () => 'default_config_id' };
    const { affected } = await manager.update(User, { id: userId }, touch);
    if (!affected) throw new NotFoundError('user');
    return work(manager);
  });
}

/**
 * Runs a transaction that first locks the rows of all shared configurations, which serializes changes to them, moves of
 * the default included.
 */
export function withSharedLock<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return transaction(dataSource, async (manager) => {
    await manager.update(ModelConfig, { userId: IsNull() }, { sharedDefault: () => 'shared_default' });
    return work(manager);
  });
}

/** Requires `withUserLock`. Nothing serializes creations of shared configurations, which may exceed the limit. */
export async function assertBelowLimit(manager: EntityManager, userId: number | null): Promise<void> {
  const owned = { userId: userId ?? IsNull() };
  if ((await manager.countBy(ModelConfig, owned)) < MAX_CONFIGS) return;
  throw configLimitReached(MAX_CONFIGS);
}

/** Requires `withUserLock`. The default cannot be unset, only moved to another configuration. */
export async function setDefault(
  manager: EntityManager,
  config: ModelConfig,
  isDefault: boolean,
): Promise<void> {
  const { id } = config;
  const userId = config.userId!;
  if (isDefault) {
    await manager.update(User, { id: userId }, { defaultConfigId: id });
    return;
  }
  const chosen = await queryDefaultFirst(manager, userId).limit(1).getOne();
  if (chosen?.id !== id) return;
  throw defaultNotUnsettable();
}
