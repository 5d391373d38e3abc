import { describe, expect, it } from '@jest/globals';
import { QueueFullError, WorkQueue } from './work-queue.js';

describe('WorkQueue', () => {
  /** Work that the test ends. */
  function work() {
    let end!: () => void;
    const done = new Promise<void>((resolve) => (end = resolve));
    return { end, run: () => done };
  }

  it('runs at most its concurrency at once, in the order of the calls', async () => {
    const queue = new WorkQueue(2, 10);
    const jobs = [work(), work(), work(), work()];
    const begun: number[] = [];
    const runs = jobs.map((job, index) =>
      queue.run(() => {
        begun.push(index);
        return job.run();
      }),
    );
    await Promise.resolve();
    expect(begun).toEqual([0, 1]);

    jobs[1]!.end();
    await runs[1];
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1, 2]);

    for (const job of jobs) job.end();
    await Promise.all(runs);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it('rejects a call beyond its capacity', async () => {
    const queue = new WorkQueue(1, 1);
    const job = work();
    const runs = [queue.run(job.run), queue.run(job.run)];

    await expect(queue.run(job.run)).rejects.toThrow(QueueFullError);
    job.end();
    await Promise.all(runs);
    await expect(queue.run(async () => 'fine')).resolves.toBe('fine');
  });

  it('continues after work that fails', async () => {
    const queue = new WorkQueue(1, 1);

    await expect(queue.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(queue.run(async () => 'fine')).resolves.toBe('fine');
  });
});
