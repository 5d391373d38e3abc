import { median, summary } from '../support/stats.mjs';

const SECONDS = 3;

/** CPU per token while replies stream at a fixed pace. */
export const tokens100 = tokens('tokens-100', 100, ['pipe', 'plain', 'socket.io', 'sse', 'websocket'], {
  'socket.io': { pipe: 1.2, plain: 0.5 },
  sse: { pipe: 1.1 },
  websocket: { pipe: 1.1 },
});

export const tokens1000 = tokens('tokens-1000', 1000, ['pipe', 'plain', 'socket.io'], {
  'socket.io': { pipe: 1.0 },
});

function tokens(name, streams, kinds, goals) {
  return {
    name,
    async run({ rounds, stage }) {
      const runs = await interleave(rounds, kinds, (kind) =>
        stage.stream(kind, { streams, model: 'paced-50', seconds: SECONDS }),
      );
      const costs = mapValues(runs, (each) => each.map((run) => run.microsecondsAToken));
      const table = mapValues(costs, (each) => summary(each));
      return Object.entries(goals).flatMap(([kind, factors]) =>
        Object.entries(factors).map(([baseline, factor]) => {
          const ratio = median(costs[kind].map((cost, round) => cost / costs[baseline][round]));
          return {
            what: `CPU a token, ${kind}, ${streams} × 50/s, ÷ ${baseline}`,
            goal: `≤ ${factor}`,
            figure: ratio,
            met: ratio <= factor,
            details: { microseconds: table[kind], baseline: table[baseline] },
          };
        }),
      );
    },
  };
}

/** @returns the runs of each kind, in the order of the rounds */
export async function interleave(rounds, kinds, run) {
  const runs = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) runs[kind].push(await run(kind, round));
  }
  return runs;
}

export function mapValues(object, map) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
