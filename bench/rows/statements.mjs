import { setTimeout as delay } from 'node:timers/promises';
import { Stage } from '../support/stage.mjs';
import { StatementCounter } from '../support/statements.mjs';

const STREAMS = 1000;
const SECONDS = 5;

/** Database writes for the text of running replies. */
export const statements = {
  name: 'statements',
  needs: ['mysqlUrl'],
  ownStage: true,
  async run({ mysqlUrl }) {
    const counter = await StatementCounter.open(mysqlUrl);
    const stage = await Stage.open({ mysqlUrl: counter.url });
    const counts = [];
    const during = async () => {
      counts.push(await counter.read());
      await delay(SECONDS * 1000);
      counts.push(await counter.read());
    };
    const tokens = await stage.whileStreaming('socket.io', { streams: STREAMS, model: 'paced-10' }, during);
    await stage.close();
    await counter.close();
    const [before, after] = counts;
    const writes = (after.writes - before.writes) / SECONDS;
    const all = (after.all - before.all) / SECONDS;
    return [
      {
        what: `writes a second while ${STREAMS} replies run`,
        goal: '≤ 8',
        figure: writes,
        met: writes <= 8,
        details: { statementsASecond: all, tokensASecond: tokens / SECONDS },
      },
    ];
  },
};
