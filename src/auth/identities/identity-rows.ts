import { createHash } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { ExternalIdentity } from './external-identity.entity.js';
import type { IdTokenClaims } from './id-token-verifier.service.js';

export function findIdentity(
  manager: EntityManager,
  claims: IdTokenClaims,
): Promise<ExternalIdentity | null> {
  const where = { identityKey: keyOf(claims) };
  return manager.findOne(ExternalIdentity, { where, relations: { user: true } });
}

/** The row's unique key decides between simultaneous inserts. */
export async function insertIdentity(
  manager: EntityManager,
  claims: IdTokenClaims,
  userId: number,
): Promise<ExternalIdentity> {
  const identity = manager.create(ExternalIdentity, {
    userId,
    identityKey: keyOf(claims),
    issuer: claims.iss,
    subject: claims.sub,
    createdAt: new Date(),
  });
  await manager.insert(ExternalIdentity, identity);
  return identity;
}

const keyOf = ({ iss, sub }: IdTokenClaims) =>
  createHash('sha256')
    .update(JSON.stringify([iss, sub]))
    .digest('hex');
