import { generateSync } from 'otplib';
import type { TestUser } from './user.js';

const STEP_MS = 30_000;

/** The code of an authenticator app. @param offset in steps of 30 s from now */
export function totpCode(secret: string, offset = 0): string {
  return generateSync({ secret, epoch: Math.floor((Date.now() + offset * STEP_MS) / 1000) });
}

/** Waits if the time step ends within a second, for tests that need codes to keep their distance from now. */
export async function withinStep(): Promise<void> {
  const left = STEP_MS - (Date.now() % STEP_MS);
  if (left < 1000) await new Promise((resolve) => setTimeout(resolve, left));
}

export interface SecondFactor {
  secret: string;
  recoveryCodes: string[];
}

/** Turns the second factor on; the code of the step before the present one is used up. */
export async function turnOnTotp(user: TestUser): Promise<SecondFactor> {
  await withinStep();
  const setup = await user.post<{ secret: string }>('/auth/me/totp', { current_password: user.password });
  const { secret } = setup.body;
  const confirmed = await user.post<{ recovery_codes: string[] }>('/auth/me/totp/confirm', {
    code: totpCode(secret, -1),
  });
  if (confirmed.status !== 200)
    throw new Error(`The test's set-up failed: ${JSON.stringify(confirmed.body)}`);
  return { secret, recoveryCodes: confirmed.body.recovery_codes };
}
