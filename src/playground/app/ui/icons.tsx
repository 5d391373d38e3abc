/** Stroked paths in a box of 24 by 24. */
const PATHS = {
  archive: 'M4 8v11a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1V8M3 4h18v4H3zM10 12h4',
  camera: 'M4 8h3l2-3h6l2 3h3v11H4zM12 13m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0',
  check: 'm5 13 4 4L19 7',
  clip: 'm20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 5 5l-8.5 8.5a1.7 1.7 0 0 1-2.5-2.5L15 7',
  close: 'M6 6l12 12M18 6 6 18',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  down: 'M12 5v14m6-6-6 6-6-6',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  file: 'M6 3h8l5 5v13H6zM14 3v5h5M9 13h7M9 17h5',
  gear: 'M4 7h9m6 0h1M4 17h3m6 0h7M16 7m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M10 17m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0',
  left: 'm14 6-6 6 6 6',
  menu: 'M4 6h16M4 12h16M4 18h10',
  more: 'M5 12m-.9 0a.9.9 0 1 0 1.8 0a.9.9 0 1 0-1.8 0M12 12m-.9 0a.9.9 0 1 0 1.8 0a.9.9 0 1 0-1.8 0M19 12m-.9 0a.9.9 0 1 0 1.8 0a.9.9 0 1 0-1.8 0',
  pin: 'm14 3 7 7-4 1-4 5v4l-4-4-5 5 5-5-4-4h4l4-4z',
  plus: 'M12 5v14M5 12h14',
  refresh: 'M20 11A8 8 0 1 0 18 17M20 4v7h-7',
  right: 'm10 6 6 6-6 6',
  search: 'M11 11m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0M20 20l-4.5-4.5',
  send: 'M12 19V5m-6 6 6-6 6 6',
  stop: 'M7 7h10v10H7z',
  trash: 'M4 7h16M10 11v6M14 11v6M6 7l1 13h10l1-13M9 7V4h6v3',
  user: 'M12 8m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M4 21c0-4 4-6 8-6s8 2 8 6',
};

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
