import { expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { refuseSmallPackets } from './server-settings.js';

/** A fake: the real setting is global to a server that other tests share. */
const serverWith = (bytes: number) => ({ query: async () => [{ bytes }] }) as unknown as DataSource;

it('refuses a server whose packets are too small for a long reply, and accepts the default', async () => {
  await expect(refuseSmallPackets(serverWith(4 * 1024 * 1024))).rejects.toThrow(
    "The database's max_allowed_packet is 4194304 bytes, but must be 16777216 or more.",
  );
  await expect(refuseSmallPackets(serverWith(16 * 1024 * 1024))).resolves.toBeUndefined();
});
