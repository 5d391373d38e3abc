/** Which configuration a conversation uses. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { User } from '../../src/auth/users/user.entity.js';
import { ConfigsService } from '../../src/configs/configs.service.js';
import { invalidFields } from '../support/clients/problems.js';
import { configCalls, KEY } from '../support/clients/configs.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;
let eve: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  eve = await t.user().withConfig(t.provider).create();
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().create();
});

const defaults = async () => (await list()).filter((config) => config.is_default).map((config) => config.id);
const { update, remove, list, made } = configCalls(
  () => t.provider,
  () => ada,
);

describe('the default configuration', () => {
  it('is the first one created, then the chosen one, and always exactly one', async () => {
    const [one, two] = [await made({ is_default: false }), await made()];
    expect(await defaults()).toEqual([one.id]);

    const three = await made({ is_default: true });
    expect(three.is_default).toBe(true);
    expect(await defaults()).toEqual([three.id]);

    expect((await update(two.id, { is_default: true })).body.is_default).toBe(true);
    expect(await defaults()).toEqual([two.id]);
  });

  it('is the oldest after the chosen one is deleted', async () => {
    const [one, two] = [await made(), await made({ is_default: true })];
    await made();
    await remove(two.id);

    expect(await defaults()).toEqual([one.id]);
  });

  it('cannot be unset, only moved to another configuration', async () => {
    const [one, two] = [await made(), await made()];

    expect(invalidFields(await update(one.id, { is_default: false }))).toEqual(['is_default']);
    expect((await update(two.id, { is_default: false })).status).toBe(200);
    expect(await defaults()).toEqual([one.id]);
  });

  it('never resolves to another user’s configuration, even if the row names it', async () => {
    const [hers] = await list(eve);
    const mine = await made();
    await t.manager.update(User, { id: ada.id }, { defaultConfigId: hers!.id });

    expect(await defaults()).toEqual([mine.id]);
    const { id } = await ada.createConversation();
    expect((await t.app.get(ConfigsService).resolveForConversation(ada.id, id)).configId).toBe(mine.id);
  });
});

describe('resolving a configuration', () => {
  const resolve = (configId: number) => t.app.get(ConfigsService).resolve(ada.id, configId);
  const resolveFor = async (user: TestUser, config_id?: number) => {
    const { id } = await user.createConversation({ config_id });
    return t.app.get(ConfigsService).resolveForConversation(ada.id, id);
  };

  it('returns the conversation’s configuration, else the default, and only the user’s own', async () => {
    const [one, two, three] = [await made(), await made(), await made()];
    const [hers] = await list(eve);
    await update(two.id, { is_default: true });

    expect((await resolveFor(ada)).configId).toBe(two.id);
    expect((await resolveFor(ada, three.id)).configId).toBe(three.id);
    expect((await resolveFor(ada, one.id)).configId).toBe(one.id);
    await expect(resolveFor(eve, hers!.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('returns the oldest when none was chosen or the chosen one was deleted', async () => {
    const [one, two, three] = [await made(), await made(), await made()];
    expect((await resolveFor(ada)).configId).toBe(one.id);

    await update(three.id, { is_default: true });
    await remove(three.id);
    expect((await resolveFor(ada)).configId).toBe(one.id);

    await remove(one.id);
    expect((await resolveFor(ada)).configId).toBe(two.id);
  });

  it('returns the named configuration', async () => {
    const two = await made({ context_tokens: 1000, params: { seed: 1 } });

    expect(await resolve(two.id)).toEqual({
      configId: two.id,
      contextTokens: 1000,
      dailyTokensPerUser: null,
      provider: {
        ...{ modelUrl: t.provider.url, modelName: 'test-model', apiKey: KEY, params: { seed: 1 } },
        hidesUrl: false,
      },
    });
  });

  it('refuses an id that is not the user’s, whether or not it exists', async () => {
    const [hers] = await list(eve);
    for (const id of [hers!.id, 999_999_999]) {
      await expect(resolve(id)).rejects.toMatchObject({
        code: 'validation_failed',
        extras: { errors: [{ field: 'config_id' }] },
      });
    }
  });

  it('is a conflict without a configuration or the demo model', async () => {
    await expect(resolveFor(ada)).rejects.toMatchObject({ code: 'no_model_config', status: 409 });
  });
});
