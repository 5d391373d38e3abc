import { useRef } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import type { IconName } from '../ui/icons.js';

const IMAGES = 'image/png,image/jpeg,image/webp,image/gif';
const ACCEPTED = `${IMAGES},application/pdf,text/*,.md,.csv,.json,.xml,.yaml,.yml,.log,.ts,.py,.sql`;

interface AttachProps {
  onFiles: (files: Iterable<File>) => void;
}

/** Chooses files; on devices without a mouse, a second button opens the camera. */
export const AttachButtons = ({ onFiles }: AttachProps) => (
  <>
    <FileButton icon="clip" label={t.attachFiles} accept={ACCEPTED} onFiles={onFiles} />
    <FileButton icon="camera" label={t.takePhoto} accept={IMAGES} isCamera onFiles={onFiles} />
  </>
);

interface FileButtonProps extends AttachProps {
  icon: IconName;
  label: string;
  accept: string;
  isCamera?: boolean;
}

function FileButton({ icon, label, accept, isCamera = false, onFiles }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  const choose = () => {
    onFiles(input.current!.files!);
    // The same file may be chosen again.
    input.current!.value = '';
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        multiple={!isCamera}
        accept={accept}
        capture={isCamera ? 'environment' : undefined}
        onChange={choose}
      />
      <IconButton
        icon={icon}
        label={label}
        class={isCamera ? 'touch-only' : ''}
        onClick={() => input.current!.click()}
      />
    </>
  );
}
