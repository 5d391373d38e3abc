/** Runs `oidc-provider` with the settings in OPENID_PROVIDER. Prints a line once it listens. */
import Provider from 'oidc-provider';

const { port, keys, algorithm, profile } = JSON.parse(process.env.OPENID_PROVIDER);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys },
  clients: [
    {
      client_id: 'app',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['https://app.example.com/callback'],
      id_token_signed_response_alg: algorithm,
    },
  ],
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'] },
  conformIdTokenClaims: false,
  findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...profile }) }),
  cookies: { keys: ['not a secret'] },
});
provider.listen(port, '127.0.0.1', () => process.stdout.write('listening\n'));
