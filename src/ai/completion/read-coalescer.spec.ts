import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ReadCoalescer } from './read-coalescer.js';

let rounds: ReadCoalescer;
let read: string[];
const join = (name: string) => rounds.schedule(() => read.push(name));

beforeEach(() => {
  jest.useFakeTimers();
  jest.advanceTimersByTime(1000);
  rounds = new ReadCoalescer();
  read = [];
});
afterEach(() => {
  jest.useRealTimers();
});

describe('ReadCoalescer', () => {
  it('reads a single chunk at once', () => {
    join('a');
    expect(read).toEqual(['a']);

    jest.advanceTimersByTime(20);
    join('b');
    expect(read).toEqual(['a', 'b']);
  });

  it('reads chunks that follow it in one round, a moment later, in order', () => {
    for (const name of ['a', 'b', 'c', 'd']) join(name);
    expect(read).toEqual(['a']);

    jest.advanceTimersByTime(1);
    expect(read).toEqual(['a', 'b', 'c', 'd']);
    jest.advanceTimersByTime(1000);
    expect(read).toHaveLength(4);
  });

  it('schedules a read from within a round for the next round', () => {
    join('a');
    rounds.schedule(() => {
      read.push('b');
      join('c');
    });
    jest.advanceTimersByTime(1);
    expect(read).toEqual(['a', 'b']);

    jest.advanceTimersByTime(1);
    expect(read).toEqual(['a', 'b', 'c']);
  });

  it('lengthens the interval under load, and shortens it afterwards', () => {
    const busy = jest.spyOn(performance, 'eventLoopUtilization');
    const wait = (utilization: number) => {
      busy.mockReturnValue({ idle: 0, active: 0, utilization });
      jest.advanceTimersByTime(200);
      join('first');
      join('second');
      const before = read.length;
      let ms = 0;
      for (; read.length === before; ms++) jest.advanceTimersByTime(1);
      return ms;
    };

    expect([wait(0.5), wait(1), wait(0.95), wait(0.5)]).toEqual([1, 40, 30, 1]);
    busy.mockRestore();
  });
});
