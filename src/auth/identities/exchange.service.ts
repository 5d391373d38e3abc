import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ProblemError } from '../../common/errors/errors.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { AdmissionService } from '../invitations/admission.service.js';
import type { Invitation } from '../invitations/invitation.entity.js';
import { SignInService } from '../sign-in.service.js';
import { UserCreationService } from '../users/user-creation.service.js';
import type { User } from '../users/user.entity.js';
import { IdTokenVerifier, type IdTokenClaims } from './id-token-verifier.service.js';
import type { ExchangedDto, ExchangeDto } from './identity.dto.js';
import { findIdentity, insertIdentity } from './identity-rows.js';
import { alternativeTo, usernameOf, verifiedEmailOf } from './profile.js';

const MAX_USERNAMES = 5;

interface SignedIn {
  user: User;
  created: boolean;
}

/** Signs in users of an OpenID provider, and creates them at their first exchange. */
@Injectable()
export class ExchangeService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly verifier: IdTokenVerifier,
    private readonly admission: AdmissionService,
    private readonly creation: UserCreationService,
    private readonly signIns: SignInService,
  ) {}

  /**
   * @throws {UnauthenticatedError} `invalid_id_token`
   * @throws {UnavailableError} `identity_provider_unavailable`
   * @throws {ConflictError} `email_taken`
   * @throws {ProblemError} of `AdmissionService.admit` and `SignInService.signIn`
   */
  async exchange({ id_token, invitation, code }: ExchangeDto, client: ClientInfo): Promise<ExchangedDto> {
    const claims = await this.verifier.verify(id_token);
    const { user, created } = (await this.find(claims)) ?? (await this.create(claims, invitation, client));
    return { ...(await this.signIns.signIn(user, { code, client, isVouchedFor: true })), created };
  }

  private async find(claims: IdTokenClaims): Promise<SignedIn | null> {
    const identity = await findIdentity(this.dataSource.manager, claims);
    return identity && { user: identity.user!, created: false };
  }

  private async create(
    claims: IdTokenClaims,
    code: string | undefined,
    client: ClientInfo,
  ): Promise<SignedIn> {
    const invitation = await this.admission.admit(code);
    const wanted = usernameOf(claims);
    for (let attempt = 1; ; attempt++) {
      const username = attempt === 1 ? wanted : alternativeTo(wanted);
      try {
        return { user: await this.insert(claims, username, invitation, client), created: true };
      } catch (error) {
        // A simultaneous exchange of the same identity has taken the names and the invitation.
        const winner = await this.find(claims);
        if (winner) return winner;
        if (attempt === MAX_USERNAMES || !isUsernameTaken(error)) throw error;
      }
    }
  }

  private insert(
    claims: IdTokenClaims,
    username: string,
    invitation: Invitation | null,
    client: ClientInfo,
  ): Promise<User> {
    const email = verifiedEmailOf(claims);
    return this.creation.create(
      {
        username,
        email,
        emailVerified: email !== null,
        passwordHash: null,
        invitation,
        also: (manager, user) => insertIdentity(manager, claims, user.id),
      },
      client,
    );
  }
}

const isUsernameTaken = (error: unknown) => error instanceof ProblemError && error.code === 'username_taken';
