import { createHash, randomBytes } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { RecoveryCode } from './recovery-code.entity.js';
import { canonicalizeCode } from './totp-code.js';

const CODES = 10;
const BYTES = 15;

/**
 * Replaces a user's recovery codes. Only hashes are stored.
 * @returns ten codes of 120 random bits, in Base32, in groups of four
 */
export async function issueRecoveryCodes(manager: EntityManager, userId: number): Promise<string[]> {
  const { ScureBase32Plugin } = await import('otplib');
  const base32 = new ScureBase32Plugin();
  const codes = Array.from({ length: CODES }, () => formatCode(base32.encode(randomBytes(BYTES))));
  await manager.delete(RecoveryCode, { userId });
  await manager.insert(
    RecoveryCode,
    codes.map((code) => ({ userId, codeHash: hashRecoveryCode(canonicalizeCode(code)) })),
  );
  return codes;
}

/** Of simultaneous uses of a code, on any node, the one that deletes the row succeeds. */
export async function redeemRecoveryCode(
  manager: EntityManager,
  userId: number,
  canonicalCode: string,
): Promise<boolean> {
  const codeHash = hashRecoveryCode(canonicalCode);
  const { affected } = await manager.delete(RecoveryCode, { userId, codeHash });
  return affected === 1;
}

const formatCode = (text: string) => text.toLowerCase().match(/.{4}/g)!.join('-');

/** Unsalted and fast, which suffices for 120 random bits (ASVS 5.0, 6.5.2: 112 bits). */
const hashRecoveryCode = (canonicalCode: string) => createHash('sha256').update(canonicalCode).digest('hex');
