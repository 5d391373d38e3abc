export interface ProblemCode {
  /** Meaning, for the developer of a client. */
  meaning: string;
  /** An example of `detail`. */
  detail: string;
  /** An example of the additional members. */
  members?: Record<string, unknown>;
}

/** All problem codes. A code is never renamed, and never changes its meaning. */
export const PROBLEM_CODES: Record<string, ProblemCode> = {
  bad_request: {
    meaning: 'The request could not be read: malformed JSON, most likely.',
    detail: 'The request could not be read; is the body well-formed JSON?',
  },
  unauthenticated: {
    meaning: 'No token, one that is not valid, or credentials that are wrong.',
    detail: 'An access token is needed.',
  },
  token_expired: {
    meaning: 'The token has run out: refresh, then repeat the request.',
    detail: 'The access token has expired.',
  },
  token_revoked: {
    meaning: 'The session was ended: log in again.',
    detail: 'The session has ended.',
  },
  token_reused: {
    meaning: 'A refresh token was used twice, so its session was ended: log in again.',
    detail: 'The refresh token was used before, so its session was ended.',
  },
  https_required: {
    meaning: 'In production only HTTPS is answered.',
    detail: 'HTTPS is required.',
  },
  origin_forbidden: {
    meaning: 'The page that opens the socket is from an origin that is not allowed.',
    detail: 'This origin is not allowed.',
  },
  forbidden: {
    meaning: 'Allowed to nobody in this state.',
    detail: 'This is not allowed.',
  },
  reauthentication_required: {
    meaning:
      'The login is older than 15 minutes: send `current_password` too, or log in again without a password.',
    detail: 'The login is older than 15 minutes: send current_password too.',
  },
  account_disabled: {
    meaning: 'The credentials are right, but an administrator has disabled the account.',
    detail: 'This account is disabled: ask an administrator.',
  },
  last_admin: {
    meaning: 'The last administrator who is enabled can be neither disabled, demoted nor deleted.',
    detail: 'This is the last administrator who is enabled: grant the role to another first.',
  },
  admin_only: {
    meaning: 'Only administrators may do this.',
    detail: 'Only administrators may do this.',
  },
  invalid_id_token: {
    meaning: 'The ID token is expired, older than 10 minutes, or not of a configured issuer and audience.',
    detail: 'The ID token is not valid here.',
  },
  identity_provider_unavailable: {
    meaning: 'The identity provider does not answer: try again after `Retry-After` seconds.',
    detail: 'The identity provider does not answer; try again shortly.',
  },
  identity_in_use: {
    meaning: 'Another account has this identity.',
    detail: 'This identity belongs to another account.',
  },
  last_login_method: {
    meaning: 'The user has no password and no other identity: set a password first.',
    detail: 'Without this identity you could not log in: set a password first.',
  },
  invitation_required: {
    meaning: 'Accounts are created by invitation only: send `invitation`.',
    detail: 'An invitation is required to create an account here.',
  },
  registration_closed: {
    meaning: 'No accounts can be created on this server.',
    detail: 'No accounts can be created here.',
  },
  email_unverified: {
    meaning:
      'The credentials are right, but the email address has to be verified first. The link was mailed again.',
    detail: 'The email address is not verified: follow the link that was mailed to it.',
  },
  already_verified: {
    meaning: 'No email address of the account waits for verification.',
    detail: 'No email address of this account waits for verification.',
  },
  mail_not_configured: {
    meaning: 'This server sends no mails.',
    detail: 'This server sends no mails: its operator has to set SMTP_URL.',
  },
  wrong_password: {
    meaning: '`current_password` is wrong.',
    detail: 'The current password is wrong.',
  },
  second_factor_required: {
    meaning: 'The password is right, and the account has a second factor: log in again with `code`.',
    detail: 'This account has a second factor: send a code of the authenticator app too.',
  },
  wrong_code: {
    meaning: 'The code of the second factor is wrong, was used before, or has expired.',
    detail: 'The code is wrong, was used before, or has expired.',
  },
  totp_active: {
    meaning: 'The second factor is on already.',
    detail: 'The second factor is on; remove it before you set up another.',
  },
  totp_inactive: {
    meaning: 'The second factor is off: there is none to remove.',
    detail: 'The second factor is off.',
  },
  no_totp_pending: {
    meaning: 'No second factor waits to be confirmed: set one up first.',
    detail: 'There is no second factor to confirm: set one up first.',
  },
  not_found: {
    meaning: 'There is no such thing, or it is not yours.',
    detail: 'There is no such conversation.',
  },
  method_not_allowed: {
    meaning: 'The path exists, but not under this method; `Allow` lists those it has.',
    detail: 'PUT is not possible here; GET, HEAD, OPTIONS are.',
  },
  not_acceptable: {
    meaning: '`Accept` names no type that the answer can have.',
    detail: 'The answer can be application/json or text/event-stream.',
  },
  username_taken: { meaning: 'Somebody has this username.', detail: 'This username is taken.' },
  email_taken: {
    meaning: 'There is an account with this email address.',
    detail: 'This email address is taken.',
  },
  config_limit: {
    meaning: 'A user has at most 50 model configurations.',
    detail: 'You have 50 configurations, the most there can be.',
  },
  key_unreadable: {
    meaning: 'No encryption key of the server opens the stored API key: send the `api_key` again.',
    detail: 'The key of this configuration can no longer be read; send its api_key again.',
  },
  shared_config: {
    meaning:
      'The configuration is the operator’s: it can be chosen, but not changed, tested or listed for models.',
    detail: 'Only administrators can change or test a shared configuration.',
  },
  quota_exceeded: {
    meaning:
      'The tokens of today of a shared configuration are used up: `Retry-After` is the time to midnight UTC.',
    detail: 'You have used the 100000 tokens a day of this model. They are renewed at midnight UTC.',
  },
  no_model_config: {
    meaning: 'There is no model configuration to chat with: create one.',
    detail: 'Add a model configuration before you chat.',
  },
  reply_in_progress: {
    meaning: 'A reply runs in this conversation: wait for it, or stop it.',
    detail: 'A reply is running in this conversation.',
    members: { assistant_message_id: 12 },
  },
  no_reply_running: {
    meaning: 'There is nothing to stop.',
    detail: 'No reply is running in this conversation.',
  },
  client_message_id_reused: {
    meaning: 'The `client_message_id` was used for other content.',
    detail: 'This client_message_id was used with other content.',
  },
  wrong_role: {
    meaning: 'Only replies are regenerated, and only messages of the user are edited.',
    detail: 'Only a reply can be regenerated.',
  },
  storage_full: {
    meaning: 'The files of a user take `STORAGE_LIMIT_MB`, the most there is.',
    detail: 'Your files take all the space there is: delete some first.',
  },
  unsupported_file: {
    meaning: 'The bytes are of no type that can be uploaded.',
    detail: 'Only PNG, JPEG, WebP and GIF images, PDF documents and UTF-8 text can be uploaded.',
  },
  unreadable_file: {
    meaning:
      'The file is empty or broken, an image of too many pixels, or a PDF that is encrypted or without text.',
    detail: 'The file is empty.',
  },
  context_exceeded: {
    meaning: 'The files of the message do not fit the context of the model, even without earlier messages.',
    detail: 'The files do not fit the context of the model.',
  },
  storage_unavailable: {
    meaning: 'The storage of files does not answer: try again after `Retry-After`.',
    detail: 'The storage of files is unavailable; try again shortly.',
  },
  range_not_satisfiable: {
    meaning: 'The file ends before the `Range`; `Content-Range` has its length.',
    detail: 'The file ends before the range.',
  },
  body_too_large: { meaning: 'The body is too large.', detail: 'The body is too large.' },
  unsupported_media_type: {
    meaning: 'The body is not JSON, or not multipart/form-data for an upload.',
    detail: 'The body must be JSON in UTF-8 (Content-Type: application/json).',
  },
  validation_failed: {
    meaning: 'Fields are missing, unknown or bad; `errors` names each.',
    detail: 'The request has bad fields: limit.',
    members: { errors: [{ field: 'limit', message: 'limit must not be greater than 100' }] },
  },
  rate_limited: {
    meaning: 'Too many requests: wait for `Retry-After` seconds.',
    detail: 'Too many requests; try again in 12 s.',
  },
  upstream_auth: {
    meaning: 'The model provider refuses the API key.',
    detail: 'Incorrect API key provided.',
  },
  upstream_rate_limited: {
    meaning: 'The model provider limits the API key, or its credit is used up.',
    detail: 'Rate limit reached for requests.',
  },
  upstream_timeout: {
    meaning: 'The model provider took too long.',
    detail: 'The provider sent nothing for 60 seconds.',
  },
  upstream_unreachable: {
    meaning: 'No connection to the model provider could be made, or may be made.',
    detail: "The model's address is not allowed or could not be reached.",
  },
  upstream_bad_response: {
    meaning: 'The model provider sent what is no OpenAI-compatible answer, or broke off.',
    detail: 'The provider ended the reply in the middle.',
  },
  upstream_error: {
    meaning: 'The model provider answered with an error.',
    detail: 'The server had an error while processing your request.',
  },
  upstream_empty: {
    meaning:
      'The reply ended without any text: the model asked for a tool, said nothing, or spent its allowance on thinking.',
    detail: 'The model said nothing: the provider ended the reply without any text.',
  },
  content_filtered: {
    meaning: "The model provider's content filter cut the reply off.",
    detail: "The provider's content filter ended the reply.",
  },
  internal_error: {
    meaning: 'An error of the server; the log has it under `request_id`.',
    detail: 'Something went wrong on our side.',
  },
  unavailable: {
    meaning: 'The server cannot answer now: try again.',
    detail: 'Too many passwords are being checked; try again shortly.',
  },
  database_unavailable: {
    meaning: 'The database is unavailable: try again after `Retry-After` seconds.',
    detail: 'The database is unavailable; try again shortly.',
  },
  draining: {
    meaning: 'This server is shutting down: try again, and another one answers.',
    detail: 'This server is shutting down; try again.',
  },
  not_ready: {
    meaning: 'A part that the server needs is down; `parts` says which.',
    detail: 'A required dependency is unavailable.',
    members: { parts: { database: 'down', redis: 'up' } },
  },
};
