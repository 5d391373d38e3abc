import { median, summary } from '../support/stats.mjs';
import { Stage } from '../support/stage.mjs';

const REPLIES = 1000;
/** Idle sockets, enough to outweigh the process's own fluctuation. */
const IDLE = 3000;
/** Replies that run first, so that compiled code is not counted. */
const WARM = 50;

/** Memory of an idle socket and of a running reply. */
export const memory = {
  name: 'memory',
  ownStage: true,
  async run(context) {
    const runs = [];
    for (let round = 0; round < context.rounds; round++) runs.push(await measure(context));
    const column = (name) => runs.map((run) => run[name] / 1024);
    const ratio = median(runs.map(({ socket, bare }) => socket / bare));
    const reply = median(column('reply'));
    return [
      {
        what: 'an idle socket, ÷ bare socket.io’s',
        goal: '≤ 1.25',
        figure: ratio,
        met: ratio <= 1.25,
        details: { kilobytes: summary(column('socket')), baseline: summary(column('bare')) },
      },
      {
        what: `a running reply, at ${REPLIES}, KB`,
        goal: '≤ 50',
        figure: reply,
        met: reply <= 50,
        details: { kilobytes: summary(column('reply')) },
      },
    ];
  },
};

async function measure(context) {
  const stage = await Stage.open({ ...context, users: IDLE });
  try {
    const plain = await stage.baseline('parts/plain-socket-io.mjs');
    await stage.whileStreaming('socket.io', { streams: WARM, model: 'paced-10' }, async () => {});
    const idle = (kind, process) => (grown) => stage.whileConnected(kind, process, IDLE, grown);
    const bareSockets = idle('bare', plain);
    const sockets = idle('socket.io', stage.parley);
    for (const connect of [bareSockets, sockets]) await connect(async () => {});
    const bare = await growth(plain, IDLE, bareSockets);
    const socket = await growth(stage.parley, IDLE, sockets);
    const reply = await growth(stage.parley, REPLIES, (grown, connected) =>
      stage.whileStreaming('socket.io', { streams: REPLIES, model: 'paced-10', connected }, grown),
    );
    return { bare, socket, reply };
  } finally {
    await stage.close();
  }
}

/** @returns the process's growth between two moments, per socket */
async function growth(process, count, run) {
  let before = await process.residentBytes();
  let after;
  const grown = async () => (after = await process.residentBytes());
  const connected = async () => (before = await process.residentBytes());
  await run(grown, connected);
  return (after - before) / count;
}
