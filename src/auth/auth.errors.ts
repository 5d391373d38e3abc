import {
  ConflictError,
  ProblemError,
  UnauthenticatedError,
  UnavailableError,
} from '../common/errors/errors.js';

const WRONG_CODE = 'The code is wrong, was used before, or has expired.';

export const missingToken = () =>
  new UnauthenticatedError('unauthenticated', 'An access token is needed.', false);

export const invalidToken = () =>
  new UnauthenticatedError('unauthenticated', 'The access token is not valid.');

export const tokenOfAnotherUser = () =>
  new UnauthenticatedError('unauthenticated', 'The access token is another user’s.');

export const invalidTicket = () => new UnauthenticatedError('unauthenticated', 'The ticket is not valid.');

export const expiredToken = () => new UnauthenticatedError('token_expired', 'The access token has expired.');

export const revokedToken = () => new UnauthenticatedError('token_revoked', 'The session has ended.');

export const invalidRefreshToken = () =>
  new UnauthenticatedError('unauthenticated', 'The refresh token is not valid.');

export const expiredRefreshToken = () =>
  new UnauthenticatedError('token_expired', 'The refresh token has expired.');

export const reusedRefreshToken = () =>
  new UnauthenticatedError('token_reused', 'The refresh token was used before, so its session was ended.');

/** Does not reveal whether the email or the password is wrong. */
export const wrongCredentials = () =>
  new UnauthenticatedError('unauthenticated', 'The email or the password is wrong.', false);

export const secondFactorRequired = () =>
  new UnauthenticatedError(
    'second_factor_required',
    'This account has a second factor: send a code of the authenticator app too.',
    false,
  );

export const wrongLoginCode = () => new UnauthenticatedError('wrong_code', WRONG_CODE, false);

export const wrongCode = () => new ProblemError(403, 'wrong_code', WRONG_CODE);

export const wrongPassword = () => new ProblemError(403, 'wrong_password', 'The current password is wrong.');

export const reauthenticationRequired = (hasPassword: boolean) =>
  new ProblemError(
    403,
    'reauthentication_required',
    `The login is older than 15 minutes: ${hasPassword ? 'send current_password too' : 'log in again'}.`,
  );

/** Only for clients that have sent the user's credentials: it reveals that the account exists. */
export const accountDisabled = () =>
  new ProblemError(403, 'account_disabled', 'This account is disabled: ask an administrator.');

export const lastAdmin = () =>
  new ConflictError(
    'last_admin',
    'This is the last administrator who is enabled: grant the role to another first.',
  );

export const adminOnly = () => new ProblemError(403, 'admin_only', 'Only administrators may do this.');

export const invitationRequired = () =>
  new ProblemError(403, 'invitation_required', 'An invitation is required to create an account here.');

export const registrationClosed = () =>
  new ProblemError(403, 'registration_closed', 'No accounts can be created here.');

export const totpActive = () =>
  new ConflictError('totp_active', 'The second factor is on; remove it before you set up another.');

export const noTotpPending = () =>
  new ConflictError('no_totp_pending', 'There is no second factor to confirm: set one up first.');

export const totpInactive = () => new ConflictError('totp_inactive', 'The second factor is off.');

/** Does not reveal what is wrong with the token; the log does. */
export const invalidIdToken = () =>
  new UnauthenticatedError('invalid_id_token', 'The ID token is not valid here.', false);

export const identityProviderUnavailable = () =>
  new UnavailableError(
    'identity_provider_unavailable',
    'The identity provider does not answer; try again shortly.',
  );

export const identityInUse = () =>
  new ConflictError('identity_in_use', 'This identity belongs to another account.');

export const lastLoginMethod = () =>
  new ConflictError('last_login_method', 'Without this identity you could not log in: set a password first.');

export const usernameTaken = () => new ConflictError('username_taken', 'This username is taken.');

export const emailTaken = () => new ConflictError('email_taken', 'This email address is taken.');

export const emailUnverified = () =>
  new ProblemError(
    403,
    'email_unverified',
    'The email address is not verified: follow the link that was mailed to it.',
  );

export const alreadyVerified = () =>
  new ConflictError('already_verified', 'No email address of this account waits for verification.');

export const mailNotConfigured = () =>
  new ProblemError(
    403,
    'mail_not_configured',
    'This server sends no mails: its operator has to set SMTP_URL.',
  );
