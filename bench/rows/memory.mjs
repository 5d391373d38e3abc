import { median, summary } from '../support/stats.mjs';
import { Stage } from '../support/stage.mjs';

const SOCKETS = 1000;
const IDLE = 3000;
/** Replies that run before, so that code which is compiled with the first does not count as theirs. */
const WARM = 50;

/** What a socket that does nothing takes, and a reply that runs. */
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
        what: `a running reply, at ${SOCKETS}, KB`,
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
    for (const [kind, process] of [
      ['socket.io', stage.parley],
      ['bare', plain],
    ]) {
      await stage.whileConnected(kind, process, IDLE, async () => {});
    }
    const bare = await growth(plain, (grown) => stage.whileConnected('bare', plain, IDLE, grown), IDLE);
    const socket = await growth(stage.parley, (grown) =>
      stage.whileConnected('socket.io', stage.parley, IDLE, grown), IDLE,
    );
    const reply = await growth(stage.parley, (grown, connected) =>
      stage.whileStreaming('socket.io', { streams: SOCKETS, model: 'paced-10', connected }, grown),
    );
    return { bare, socket, reply };
  } finally {
    await stage.close();
  }
}

/** @returns how much a process grows by, for each of its sockets, from the one moment to the other */
async function growth(process, run, count = SOCKETS) {
  let before = await process.residentBytes();
  let after;
  const grown = async () => (after = await process.residentBytes());
  const connected = async () => (before = await process.residentBytes());
  await run(grown, connected);
  return (after - before) / count;
}
