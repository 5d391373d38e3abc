import type { EntityManager } from 'typeorm';
import { addressKey } from '../../throttling/address-key.js';
import type { User } from '../users/user.entity.js';
import { KnownAddress } from './known-address.entity.js';

/**
 * Key of a budget of failed logins. Guesses from all unknown addresses share the account's one budget. An address that
 * has logged in to the account before has its own, so that guessing cannot lock the owner out.
 * @param account the email's key
 * @param address result of `addressKey`
 */
export const failedLoginBudget = (account: string, address: string, isKnown: boolean) =>
  isKnown ? `${account} ${address}` : account;

/** The budget that failed logins of a user from an address count in. */
export async function failedLoginBudgetOf(
  manager: EntityManager,
  { id, emailKey }: User,
  clientAddress: string,
): Promise<string> {
  const address = addressKey(clientAddress);
  const isKnown = await manager.existsBy(KnownAddress, { userId: id, address });
  return failedLoginBudget(emailKey ?? `user ${id}`, address, isKnown);
}
