import { describe, expect, it } from '@jest/globals';
import { Settings } from '../../env/settings.js';
import { User } from '../users/user.entity.js';
import { Roles } from './roles.service.js';

const roles = new Roles(Object.assign(new Settings(), { adminEmails: ['Ops@Example.com'] }));
const roleOf = (user: Partial<User>) =>
  roles.of(Object.assign(new User(), { role: 'user', emailVerified: true, emailKey: null }, user));

describe('Roles', () => {
  it('makes a granted administrator and a verified address of ADMIN_EMAILS one', () => {
    expect(roleOf({ role: 'admin' })).toBe('admin');
    expect(roleOf({ emailKey: 'ops@example.com' })).toBe('admin');
  });

  it('leaves everybody else a user', () => {
    expect(roleOf({ emailKey: 'ops@example.com', emailVerified: false })).toBe('user');
    expect(roleOf({ emailKey: 'ada@example.com' })).toBe('user');
    expect(roleOf({ emailKey: null })).toBe('user');
  });
});
