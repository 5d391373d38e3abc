import { foldText } from '../../common/text/fold-text.js';
import { invalidField } from '../../common/errors/errors.js';
import { isCommonPassword } from './common-passwords.js';

/**
 * NIST SP 800-63B section 3.1.1.2: refuses common passwords and those equal to the username or email address.
 * @throws {ValidationFailedError} naming `password`
 */
export async function refuseGuessablePassword(
  password: string,
  { username, email }: { username: string; email: string | null },
): Promise<void> {
  const folded = foldText(password);
  if (folded === foldText(username)) throw invalidField('password', 'Must not be the username.');
  if (email !== null && folded === foldText(email))
    throw invalidField('password', 'Must not be the email address.');
  if (await isCommonPassword(password))
    throw invalidField('password', 'Is one of the most common passwords.');
}
