import { describe, expect, it } from '@jest/globals';
import { Backpressure, MAX_WAITING_BYTES as MAX } from './backpressure.js';

/** A client with a settable number of buffered bytes. */
class Client {
  bufferedAmount = 0;
  readonly backpressure = new Backpressure(this);

  /** @returns whether the client was written to */
  write(bytes: number): boolean {
    const hasRoom = this.backpressure.hasRoomFor(bytes);
    if (hasRoom) this.bufferedAmount += bytes;
    return hasRoom;
  }
}

describe('Backpressure', () => {
  it('refuses a write once more than 1 MiB is buffered', () => {
    const client = new Client();

    expect([client.write(MAX), client.write(1), client.write(1)]).toEqual([true, true, false]);
  });

  it('accepts writes while the client drains its buffer', () => {
    const client = new Client();

    for (let n = 0; n < 10; n++) {
      expect(client.write(MAX)).toBe(true);
      client.bufferedAmount = 0;
    }
  });

  it('accepts one event larger than the limit, and 1 MiB besides', () => {
    const client = new Client();

    expect([client.write(5 * MAX), client.write(MAX), client.write(1), client.write(1)]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('buffers at most one oversized event at a time', () => {
    const client = new Client();
    client.write(5 * MAX);

    expect(client.write(2 * MAX)).toBe(false);
    client.bufferedAmount = MAX;
    expect(client.write(2 * MAX)).toBe(true);
  });

  it('ends the allowance for an oversized event once it is drained', () => {
    const client = new Client();
    client.write(5 * MAX);
    client.bufferedAmount = 0;
    client.write(1);

    expect([client.write(MAX), client.write(1)]).toEqual([true, false]);
  });

  it('does not count missed events that are buffered at the reset', () => {
    const client = new Client();
    client.bufferedAmount = 8 * MAX;
    client.backpressure.resetAllowance();

    expect([client.write(MAX), client.write(1), client.write(1)]).toEqual([true, true, false]);
  });

  it('buffers at most 32 MiB of missed events', () => {
    const client = new Client();
    client.bufferedAmount = 32 * MAX;

    expect(client.backpressure.hasRoomForMissed()).toBe(true);
    client.bufferedAmount += 1;
    expect(client.backpressure.hasRoomForMissed()).toBe(false);
  });
});
