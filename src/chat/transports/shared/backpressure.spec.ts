import { describe, expect, it } from '@jest/globals';
import { Backpressure, MAX_WAITING_BYTES as MAX } from './backpressure.js';

/** A client for which a given amount waits. */
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
  it('ends once more than 1 MiB waits', () => {
    const client = new Client();

    expect([client.write(MAX), client.write(1), client.write(1)]).toEqual([true, true, false]);
  });

  it('goes on for a client that takes what waits', () => {
    const client = new Client();

    for (let n = 0; n < 10; n++) {
      expect(client.write(MAX)).toBe(true);
      client.bufferedAmount = 0;
    }
  });

  it('lets what is larger than the limit wait whole, and 1 MiB beside it', () => {
    const client = new Client();

    expect([client.write(5 * MAX), client.write(MAX), client.write(1), client.write(1)]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('lets one such thing wait at a time', () => {
    const client = new Client();
    client.write(5 * MAX);

    expect(client.write(2 * MAX)).toBe(false);
    client.bufferedAmount = MAX;
    expect(client.write(2 * MAX)).toBe(true);
  });

  it('holds nothing against a client twice: what was excused and taken is excused no more', () => {
    const client = new Client();
    client.write(5 * MAX);
    client.bufferedAmount = 0;
    client.write(1);

    expect([client.write(MAX), client.write(1)]).toEqual([true, false]);
  });

  it('excuses what the client had missed', () => {
    const client = new Client();
    client.bufferedAmount = 8 * MAX;
    client.backpressure.resetAllowance();

    expect([client.write(MAX), client.write(1), client.write(1)]).toEqual([true, true, false]);
  });

  it('has 32 MiB of what was missed got ready at once', () => {
    const client = new Client();
    client.bufferedAmount = 32 * MAX;

    expect(client.backpressure.hasRoomForMissed()).toBe(true);
    client.bufferedAmount += 1;
    expect(client.backpressure.hasRoomForMissed()).toBe(false);
  });
});
