/** Runs `oidc-provider` with the settings in OPENID_PROVIDER. Prints a line once it listens. */
import Provider from 'oidc-provider';

const { port, keys } = JSON.parse(process.env.OPENID_PROVIDER);
const algorithms = keys.map(({ alg }) => alg);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys },
  clients: algorithms.map((algorithm) => ({
    client_id: `app-${algorithm}`,
    token_endpoint_auth_method: 'none',
    redirect_uris: ['https://app.example.com/callback'],
    id_token_signed_response_alg: algorithm,
  })),
  enabledJWA: { idTokenSigningAlgValues: algorithms },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'] },
  conformIdTokenClaims: false,
  findAccount: (_context, sub) => ({
    accountId: sub,
    claims: () => ({ sub, preferred_username: sub, email: `${sub}@example.com`, email_verified: true }),
  }),
  cookies: { keys: ['not a secret'] },
});
provider.listen(port, '127.0.0.1', () => process.stdout.write('listening\n'));
