/** Effects of transactions. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Deployment } from '../../src/database/deployment.entity.js';
import { afterCommit, transaction } from '../../src/database/retry.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';

let database: ChatDatabase;
let effects: string[];

beforeAll(async () => {
  database = await ChatDatabase.create();
});
beforeEach(() => {
  effects = [];
});
afterAll(() => database.drop());

const contention = () => Object.assign(new Error('Deadlock'), { code: 'ER_LOCK_DEADLOCK' });

it('runs effects in their order after the commit', async () => {
  const result = await transaction(database.dataSource, async (manager) => {
    afterCommit(manager, () => effects.push('first'));
    afterCommit(manager, () => effects.push('second'));
    await manager.count(Deployment);
    expect([effects, manager.queryRunner!.isTransactionActive]).toEqual([[], true]);
    return 'result';
  });

  expect([result, effects]).toEqual(['result', ['first', 'second']]);
});

it('runs no effect of a transaction that is rolled back', async () => {
  const failed = transaction(database.dataSource, (manager) => {
    afterCommit(manager, () => effects.push('sent'));
    return Promise.reject(new Error('Refused'));
  });

  await expect(failed).rejects.toThrow('Refused');
  expect(effects).toEqual([]);
});

it('runs effects once if the transaction is repeated', async () => {
  let attempts = 0;
  await transaction(database.dataSource, (manager) => {
    afterCommit(manager, () => effects.push('sent'));
    return ++attempts < 3 ? Promise.reject(contention()) : Promise.resolve();
  });

  expect([attempts, effects]).toEqual([3, ['sent']]);
});

it('takes effects of its own transactions only', async () => {
  await database.dataSource.transaction(async (manager) => {
    expect(() => afterCommit(manager, () => undefined)).toThrow('The manager is not one of transaction().');
  });
});
