import type { AuditAction } from '../../audit/audit-log.js';

/**
 * Names an administrator's call by its route: `GET /admin/users` is `admin.users.list`, `GET /admin/users/:id`
 * `admin.user.read`, `POST /admin/users/:id/totp/remove` `admin.user.totp_remove`.
 */
export function adminActionOf(method: string, route: string): AuditAction {
  const [, things = '', ...rest] = route.split('/').filter((part) => part !== '');
  const verbs = rest.filter((part) => !part.startsWith(':'));
  const isRead = method === 'GET' || method === 'HEAD';
  if (isRead && rest.length === 0) return `admin.${things}.list`;
  const fallback = isRead ? 'read' : 'create';
  return `admin.${things.replace(/s$/, '')}.${verbs.join('_') || fallback}`;
}
