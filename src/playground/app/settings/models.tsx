import type { Config } from '@parley/client';
import { useState } from 'preact/hooks';
import { configs } from '../client/configs.js';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { ask } from '../ui/ask.js';
import { IconButton } from '../ui/buttons.js';
import { Icon } from '../ui/icons.js';
import { Skeleton } from '../ui/skeleton.js';
import { ownConfigs } from './config-calls.js';
import { ConfigForm } from './config-form.js';
import { TestResult, useConfigTest } from './config-test.js';

/** The user's model configurations, or the form for one of them. */
export function Models() {
  const all = useStore(configs);
  const [edited, setEdited] = useState<Config | 'new' | null>(null);
  if (edited) {
    return (
      <ConfigForm
        config={edited === 'new' ? null : edited}
        calls={ownConfigs}
        onClose={() => setEdited(null)}
      />
    );
  }
  return (
    <>
      <p class="muted">{t.modelsText}</p>
      {!all && <Skeleton lines={2} />}
      {all?.length === 0 && <p>{t.noModels}</p>}
      <ul class="rows">
        {all?.map((config) =>
          config.shared ? (
            <SharedRow key={config.id} config={config} />
          ) : (
            <Row key={config.id} config={config} onEdit={() => setEdited(config)} />
          ),
        )}
      </ul>
      <button type="button" class="primary" onClick={() => setEdited('new')}>
        <Icon name="plus" />
        {t.addModel}
      </button>
    </>
  );
}

/** A model of the operator, which can be chosen in a conversation but not changed. */
function SharedRow({ config: { name, model_name, is_default, key_status } }: { config: Config }) {
  return (
    <li class="config">
      <div class="about">
        <strong>{name}</strong> <span class="badge">{t.shared}</span>{' '}
        {is_default && <span class="badge">{t.default}</span>}
        {name !== model_name && <p class="muted">{model_name}</p>}
        {key_status === 'unreadable' && <p class="error">{t.sharedKeyUnreadable}</p>}
      </div>
    </li>
  );
}

function Row({ config, onEdit }: { config: Config; onEdit: () => void }) {
  const { id, name, model_name, is_default, key_status } = config;
  const test = useConfigTest(ownConfigs.test);
  const choose = () => void report(parley.rest.updateConfig({ path: { id }, body: { is_default: true } }));
  return (
    <li class="config">
      <div class="about">
        <strong>{name}</strong> {is_default && <span class="badge">{t.default}</span>}
        {name !== model_name && <p class="muted">{model_name}</p>}
        {key_status === 'unreadable' && <p class="error">{t.keyUnreadable}</p>}
        <TestResult test={test} />
      </div>
      {!is_default && (
        <button type="button" aria-label={`${t.makeDefault}: ${name}`} onClick={choose}>
          {t.makeDefault}
        </button>
      )}
      <button type="button" aria-label={t.testNamed(name)} onClick={() => void test.run(id)}>
        {t.test}
      </button>
      <IconButton icon="edit" label={t.editNamed(name)} onClick={onEdit} />
      <IconButton icon="trash" label={`${t.delete}: ${name}`} onClick={() => void remove(config)} />
    </li>
  );
}

async function remove({ id, name }: Config): Promise<void> {
  const answer = await ask({
    title: t.deleteModelTitle(name),
    text: t.deleteModelText,
    action: t.delete,
    isDangerous: true,
  });
  if (answer !== null) await report(parley.rest.deleteConfig({ path: { id } }));
}
