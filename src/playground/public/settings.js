/** The settings dialog: the user's model configurations. */

import { api } from './api.js';
import { ask, byId, h, onSubmit } from './dom.js';

export const DEMO_MODEL = 'Demo model';

export function setUpSettings() {
  const dialog = byId('settings');
  byId('open-settings').onclick = byId('model').onclick = () => dialog.showModal();
  onSubmit(byId('add-config'), async (fields) => {
    const { name, ...required } = fields;
    await api('POST', '/auth/config/create', { ...required, ...(name && { name }) });
    byId('add-config').reset();
    await loadConfigs();
  });
}

export async function loadConfigs() {
  showConfigs((await api('GET', '/auth/config')).configs);
}

export function showConfigs(configs) {
  byId('model').textContent = configs.find((config) => config.is_default)?.name ?? DEMO_MODEL;
  const demo = h(
    'li',
    {},
    h('strong', {}, DEMO_MODEL),
    h('p', { className: 'hint' }, 'Answers until you add a model of your own.'),
  );
  byId('configs').replaceChildren(...(configs.length ? configs.map(row) : [demo]));
}

function row(config) {
  const choice = h('input', { type: 'radio', name: 'default', checked: config.is_default });
  const result = h('p', { className: 'hint', role: 'status' });
  if (config.key_status === 'unreadable')
    result.textContent = 'The stored key cannot be decrypted. Add the model again.';
  const act = (work) => async () => {
    result.textContent = 'Working…';
    result.textContent = (await work().catch((error) => error.message)) ?? '';
  };
  choice.onchange = act(() => change(config, 'update', { is_default: true }));
  return h(
    'li',
    {},
    h(
      'label',
      {},
      choice,
      h(
        'span',
        {},
        h('strong', {}, config.name),
        h('small', {}, `${config.model_name} at ${config.model_url}`),
      ),
    ),
    h(
      'button',
      {
        type: 'button',
        className: 'quiet',
        ariaLabel: `Test ${config.name}`,
        onclick: act(() => test(config)),
      },
      'Test',
    ),
    h(
      'button',
      {
        type: 'button',
        className: 'quiet',
        ariaLabel: `Delete ${config.name}`,
        onclick: act(() => remove(config)),
      },
      'Delete',
    ),
    result,
  );
}

async function change(config, verb, body) {
  await api('POST', `/auth/config/${config.id}/${verb}`, body);
  await loadConfigs();
}

async function remove(config) {
  if ((await ask(`Delete the model “${config.name}”?`, 'Delete')) !== null) await change(config, 'delete');
}

async function test(config) {
  const { ok, latency_ms, model, error } = await api('POST', `/auth/config/${config.id}/test`);
  if (ok) return `Works: ${model} answered in ${latency_ms} ms.`;
  return ['Does not work:', error.detail, error.hint].filter(Boolean).join(' ');
}
