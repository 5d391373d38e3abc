import { prepareDataDir } from './boot/data-dir.js';
import { EnvironmentError } from './env/environment-error.js';
import { loadSettings, readDotEnv, type Settings } from './env/settings.js';

// Checks the environment before the modules are loaded, which is slow.
const settings = checkEnvironment();
const { serve } = await import('./boot/serve.js');
await serve(settings);

function checkEnvironment(): Settings {
  try {
    readDotEnv();
    const settings = loadSettings(process.env);
    prepareDataDir(settings);
    return settings;
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
