import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { Field } from './form.js';

interface CodeFieldProps {
  errors: Record<string, string>;
  hint?: string;
  /** Focuses the field when it appears. */
  isFocused?: boolean;
}

/** Asks for a code of the second factor. */
export function CodeField({ errors, hint, isFocused = false }: CodeFieldProps) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isFocused) ref.current!.querySelector('input')!.focus();
  }, []);
  return (
    <div ref={ref}>
      <Field name="code" label={t.code6} hint={hint} autocomplete="one-time-code" errors={errors} />
    </div>
  );
}
