import { configs } from '../client/configs.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';

interface ConfigSelectProps {
  /** Null for the default. */
  value: number | null;
  onChange: (id: number | null) => void;
  onOpenModels: () => void;
}

/** Chooses the model of a chat. */
export function ConfigSelect({ value, onChange, onOpenModels }: ConfigSelectProps) {
  const all = useStore(configs);
  if (!all) return null;
  if (all.length === 0) {
    return (
      <button type="button" class="pill" onClick={onOpenModels}>
        {t.addModel}
      </button>
    );
  }
  return <ConfigOptions value={value} onChange={onChange} />;
}

export function ConfigOptions({
  value,
  onChange,
  id,
}: Omit<ConfigSelectProps, 'onOpenModels'> & { id?: string }) {
  const all = useStore(configs) ?? [];
  const usual = all.find(({ is_default }) => is_default);
  const isKnown = all.some((each) => each.id === value);
  return (
    <select
      id={id}
      class="pill"
      aria-label={id ? undefined : t.model}
      value={isKnown ? String(value) : ''}
      onChange={(event) => onChange(Number(event.currentTarget.value) || null)}
    >
      <option value="">{usual ? t.defaultModelNamed(usual.name) : t.defaultModel}</option>
      {all.map((each) => (
        <option key={each.id} value={String(each.id)}>
          {each.name}
        </option>
      ))}
    </select>
  );
}
