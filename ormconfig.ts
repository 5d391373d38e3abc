import { createDataSource } from './src/database/data-source.js';
import { loadSettings, readDotEnv } from './src/env/settings.js';
import { SCHEMA } from './src/schema.js';

readDotEnv();

/** For the TypeORM CLI: `npm run migration:run`, `migration:revert`, `migration:generate`. */
export default createDataSource(loadSettings(process.env).databaseUrl, SCHEMA);
