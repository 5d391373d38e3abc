/** Imported at first use, because otplib is large. */
import { generateSecret, generateURI, verifySync } from 'otplib';
import { TOLERANCE_STEPS } from './totp-code.js';

const STEP_SECONDS = 30;

/** 160 random bits in Base32, the length that RFC 4226 section 4 recommends. */
export const newTotpSecret = () => generateSecret();

/** The URL of a QR code, in the format of https://github.com/google/google-authenticator/wiki/Key-Uri-Format. */
export const otpauthUrl = (secret: string, issuer: string, label: string) =>
  generateURI({ secret, issuer, label });

/**
 * Finds the time step of a code (RFC 6238: SHA-1, 6 digits, 30 s).
 * @param code six digits
 * @returns null if the code is not of the current or an adjacent step
 */
export function findStep(secret: string, code: string, nowMs = Date.now()): number | null {
  const epoch = Math.floor(nowMs / 1000);
  const epochTolerance = TOLERANCE_STEPS * STEP_SECONDS;
  const result = verifySync({ secret, token: code, epoch, epochTolerance });
  return result.valid && 'timeStep' in result ? result.timeStep : null;
}
