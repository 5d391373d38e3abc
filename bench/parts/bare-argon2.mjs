/** Baseline for logins: verifies one hash repeatedly, as many at once as Parley. */
import argon2 from 'argon2';
import { answer, ready } from '../support/part.mjs';

answer({
  async verify({ hash, password, seconds, concurrency }) {
    const start = performance.now();
    let count = 0;
    const worker = async () => {
      for (; performance.now() - start < seconds * 1000; count++) await argon2.verify(hash, password);
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return (count * 1000) / (performance.now() - start);
  },
});
ready();
