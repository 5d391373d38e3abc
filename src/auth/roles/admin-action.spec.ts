import { describe, expect, it } from '@jest/globals';
import { adminActionOf } from './admin-action.js';

describe('the audit action of an administrator’s call', () => {
  it.each([
    ['GET', '/admin/users', 'admin.users.list'],
    ['GET', '/admin/users/:id', 'admin.user.read'],
    ['HEAD', '/admin/users', 'admin.users.list'],
    ['HEAD', '/admin/users/:id', 'admin.user.read'],
    ['POST', '/admin/users/:id/disable', 'admin.user.disable'],
    ['POST', '/admin/users/:id/totp/remove', 'admin.user.totp_remove'],
    ['POST', '/admin/invitations', 'admin.invitation.create'],
    ['POST', '/admin/configs/create', 'admin.config.create'],
    ['GET', '/admin/usage', 'admin.usage.list'],
    ['GET', '/admin/audit', 'admin.audit.list'],
  ])('of %s %s is %s', (method, route, action) => {
    expect(adminActionOf(method, route)).toBe(action);
  });
});
