/** Loaded into the server before its own code: makes it fail as a bug would, with a secret on the error. */
function fault() {
  const secret = process.env.PLANTED;
  const cause = Object.assign(new Error('The inner fault'), {
    config: { headers: { authorization: secret } },
  });
  return Object.assign(new Error('The planted fault', { cause }), {
    parameters: [secret],
    query: { secret },
  });
}

process.on('SIGUSR2', () => {
  throw fault();
});
process.on('SIGHUP', () => {
  void Promise.reject(fault());
});
