/** Lists all invalid variables for the operator, by name and without values. */
export class EnvironmentError extends Error {
  constructor(readonly errors: readonly string[]) {
    super(
      [
        `Parley cannot start: ${errors.length} error${errors.length === 1 ? '' : 's'} in its environment.`,
        ...errors.map((error) => `  - ${error}`),
        'Every setting is described in .env.example.',
      ].join('\n'),
    );
    this.name = 'EnvironmentError';
  }
}
