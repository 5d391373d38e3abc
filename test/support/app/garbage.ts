import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
export const collectGarbage = runInNewContext('gc') as () => void;

/** Counts objects that are not garbage-collected. */
export class Survivors {
  private readonly watched: WeakRef<object>[] = [];

  watch(objects: Iterable<object>): void {
    for (const object of objects) this.watched.push(new WeakRef(object));
  }

  count(): number {
    collectGarbage();
    return this.watched.filter((object) => object.deref() !== undefined).length;
  }

  get total(): number {
    return this.watched.length;
  }
}
