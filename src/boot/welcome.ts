import type { Logger } from 'pino';
import type { Settings } from '../env/settings.js';

/** Prints the URLs in development; logs the address elsewhere. */
export function announce(settings: Settings, url: string, logger: Logger): void {
  if (settings.nodeEnv !== 'development') logger.info({ url }, 'Parley is listening');
  else process.stdout.write(welcome(settings, url));
}

function welcome(settings: Settings, url: string): string {
  const rows = [
    ['Playground', `${url}/`],
    ['API docs', `${url}/docs`],
    ['Health', `${url}/health/ready`],
    ['Database', withoutPassword(settings.databaseUrl)],
    [
      'Model',
      settings.demoModel
        ? 'a built-in demo model, for users without one of their own'
        : 'each user adds their own',
    ],
  ];
  const lines = rows.map(([name = '', value = '']) => `    ${name.padEnd(12)}${value}`);
  return ['', '  Parley is running. Open the playground to sign up and chat.', '', ...lines, '', ''].join(
    '\n',
  );
}

export const withoutPassword = (url: string) => url.replace(/:\/\/[^@/]*@/, '://');
