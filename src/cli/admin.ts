/** `npm run admin -- <command> <email>`. Exits with 1 if the command fails, with 2 if it is wrong. */
import { parseArguments, USAGE } from './admin-arguments.js';

process.exitCode = await main();

async function main(): Promise<number> {
  const parsed = parseArguments();
  if (!parsed) {
    console.error(USAGE);
    return 2;
  }
  try {
    // Loaded after the arguments are checked, because it is slow.
    const { run } = await import('./admin-run.js');
    await run(parsed);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}
