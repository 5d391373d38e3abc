import { median, summary } from '../support/stats.mjs';
import { Stage } from '../support/stage.mjs';
import { interleave, mapValues } from './tokens.mjs';

const STREAMS = 100;

/** CPU per token when client and reply are on different nodes. */
export const nodes = {
  name: 'nodes',
  needs: ['mysqlUrl', 'redisUrl'],
  ownStage: true,
  async run(context) {
    const stage = await Stage.open(context);
    const [here, there] = await Promise.all(
      [1, 2].map(() => stage.startParley({ REDIS_URL: context.redisUrl })),
    );
    const runs = await interleave(context.rounds, ['one', 'two'], async (kind) => {
      const load = { streams: STREAMS, model: 'paced-50', seconds: 4 };
      if (kind === 'one') return stage.stream('socket.io', load);
      const peers = (await stage.accounts.peers(STREAMS)).map((peer) => ({ ...peer, replyUrl: there.url }));
      return stage.stream('other node', { ...load, peers, url: here.url, under: [here, there] });
    });
    await stage.close();
    const costs = mapValues(runs, (each) => each.map((run) => run.microsecondsAToken));
    const ratio = median(costs.two.map((cost, round) => cost / costs.one[round]));
    return [
      {
        what: 'CPU a token, client on another node, both together, ÷ one node',
        goal: '≤ 2.2',
        figure: ratio,
        met: ratio <= 2.2,
        details: mapValues(costs, (each) => summary(each)),
      },
    ];
  },
};
