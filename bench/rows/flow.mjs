import { median, percentile, summary } from '../support/stats.mjs';
import { interleave, mapValues } from './tokens.mjs';

/** Tokens per second at saturation, with a provider that sends as fast as it is read. */
export const saturation = {
  name: 'saturation',
  async run({ rounds, stage }) {
    // One round less than other rows, because it takes half a minute.
    const runs = await interleave(Math.max(1, rounds - 1), ['pipe', 'plain', 'socket.io'], (kind) =>
      // The baselines' backlog is not read to its end, which would take minutes.
      stage.stream(kind, { streams: 50, model: 'flood', seconds: 1, abandon: kind !== 'socket.io' }),
    );
    const rates = mapValues(runs, (each) => each.map((run) => run.tokensASecond));
    return Object.entries({ pipe: 1.3, plain: 4 }).map(([baseline, factor]) => {
      const ratio = median(rates['socket.io'].map((rate, round) => rate / rates[baseline][round]));
      return {
        what: `tokens a second at saturation, 50 streams, ÷ ${baseline}`,
        goal: `≥ ${factor}`,
        figure: ratio,
        met: ratio >= factor,
        details: { parley: summary(rates['socket.io'], 0), baseline: summary(rates[baseline], 0) },
      };
    });
  },
};

/** Delay from the provider's write to the client's read. */
export const latency = {
  name: 'latency',
  async run({ rounds, stage }) {
    const runs = await interleave(rounds, ['pipe', 'plain', 'socket.io'], (kind) =>
      stage.stream(kind, { streams: 300, model: 'paced-50', seconds: 4 }),
    );
    return [
      ['p50', 1],
      ['p99', 10],
    ].map(([rank, allowance]) => {
      const ages = mapValues(runs, (each) => each.map((run) => run.ageMs[rank]));
      const above = median(ages['socket.io'].map((age, round) => age - ages.pipe[round]));
      return {
        what: `provider to client, 300 × 50/s, ${rank} above pipe, ms`,
        goal: `≤ ${allowance}`,
        figure: above,
        met: above <= allowance,
        details: mapValues(ages, (each) => summary(each)),
      };
    });
  },
};

/** Delay from a send to its first text, less the provider's own. */
export const firstToken = {
  name: 'first-token',
  async run({ rounds, stage }) {
    const afterMs = 300;
    const model = `paced-50-after-${afterMs}`;
    const runs = await interleave(rounds + 2, ['pipe', 'socket.io'], (kind) =>
      stage.firstTexts(kind, { streams: 100, model }),
    );
    return [
      ['p50', 50, 10],
      ['p99', 99, 50],
    ].map(([rank, percent, goal]) => {
      const times = mapValues(runs, (each) => each.map((run) => percentile(run, percent) - afterMs));
      return {
        what: `first token, 100 at once, ${rank} above the provider’s, ms`,
        goal: `≤ ${goal}`,
        figure: median(times['socket.io']),
        met: median(times['socket.io']) <= goal,
        details: mapValues(times, (each) => summary(each)),
      };
    });
  },
};
